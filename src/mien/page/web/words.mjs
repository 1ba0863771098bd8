// @ts-check
/** Every sentence about where the work is done, and about what went wrong. */

/** What is said at all times about where pictures go. */
export const HERE = "In this browser: no picture leaves this device.";

/** @param {string} host */
export function onServer(host) {
  return `On ${host}: pictures are sent there, worked on in memory, not kept.`;
}

export const NO_FACE =
  "No face was found. Faces that are larger, brighter and seen from the front are found best.";
export const NO_FACE_NOW = "No face in view.";
export const NO_FACE_IN_VIDEO =
  "No face was found in this video. Faces that are larger, brighter and seen from the front are found best.";

/** A failure that a person is told, in its own words. */
export class Told extends Error {}

/** The service has gone. */
export class ServerGone extends Told {
  /** @param {string} host */
  constructor(host) {
    super(`${host} does not answer any more. Nothing is sent; try again when it is back.`);
  }
}

/** Why there is no camera at this address. */
export function noCameraHere() {
  return (
    `Browsers give the camera to pages over HTTPS only, and this one came over plain HTTP from ` +
    `${location.hostname}. Taking a photo and choosing photos or a video work all the same.`
  );
}

/**
 * Why a camera did not start.
 * @param {unknown} error of getUserMedia
 */
export function cameraWords(error) {
  const name = error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
      return (
        "The camera was refused. Allow it for this page in the browser's settings, " +
        "beside the address, and start again."
      );
    case "NotFoundError":
    case "OverconstrainedError":
      return "There is no camera. Connect one and start again, or choose a photo or a video.";
    case "NotReadableError":
    case "AbortError":
      return "The camera is in use by another program or page. Close that and start again.";
    case "SecurityError":
      return "This browser does not let pages use the camera.";
    default:
      return `The camera did not start (${name || String(error)}).`;
  }
}

export const CAMERA_LEFT = "The camera went away. Connect it and start again.";

/** @param {string} reason */
export function noBrowserMode(reason) {
  return `It cannot run in this browser: ${reason}.`;
}

export const WASM_BLOCKED =
  "WebAssembly is switched off or blocked, perhaps by the browser's settings or an extension";
export const TOO_OLD = "it is too old; a browser from 2023 or later can";

/**
 * @param {string} name
 * @param {boolean} elsewhere whether a service could read it
 */
export function unreadablePhoto(name, elsewhere) {
  const other = elsewhere ? ", or run it on the service" : "";
  return `${name} is no picture that this browser can read. Save it as JPEG or PNG${other}.`;
}

/** @param {string} name */
export function hiddenPhoto(name) {
  return `This browser cannot show ${name}; the service read it all the same.`;
}

/**
 * @param {string[]} names of files that were given as photos
 * @param {string} kind what they are not
 */
export function leftOut(names, kind) {
  return names.length === 1
    ? `${names[0]} is no ${kind}.`
    : `${listed(names)} are no ${kind}s.`;
}

/** @param {string[]} names of videos beside the one that is opened */
export function oneVideo(names) {
  return `One video at a time: ${listed(names)} ${names.length === 1 ? "was" : "were"} left out.`;
}

/**
 * @param {number} frames
 * @param {number} withFace
 */
export function framesDone(frames, withFace) {
  const found = withFace ? `a face in ${withFace.toLocaleString("en")} of them` : "no face found";
  return `${count(frames, "frame")} done, ${found}.`;
}

/** @param {string[]} names */
function listed(names) {
  const shown = names.length > 4 ? names.slice(0, 3) : names;
  const last = names.length > 4 ? `${names.length - 3} more files` : shown[shown.length - 1];
  const first = names.length > 4 ? shown : shown.slice(0, -1);
  return first.length ? `${first.join(", ")} and ${last}` : last;
}

/** @param {string} name */
export function unreadableVideo(name) {
  return `${name} cannot be played by this browser. MP4 with H.264 and WebM can.`;
}

/**
 * @param {string} name
 * @param {number} limit in bytes
 */
export function tooLarge(name, limit) {
  return `${name} is larger than the service takes: ${Math.round(limit / 1e6)} MB.`;
}

/** @param {number} seconds */
export function busy(seconds) {
  return `The service is busy; trying again in ${seconds} s.`;
}

export const STILL_BUSY = "The service is still busy. Try again later, or run it in this browser.";
export const WRONG_TOKEN = "That is not the token of this service.";
export const TOKEN_WANTED = "The service asks for its token again. Load this page anew.";
export const LIVE_FULL = "As many cameras are connected to the service as it takes. Try again later.";
export const PAUSED = "Paused while this tab is hidden.";

/**
 * @param {number} n
 * @param {string} one
 */
export function count(n, one) {
  return `${n.toLocaleString("en")} ${one}${n === 1 ? "" : "s"}`;
}

/** @param {number} share */
export function percent(share) {
  return share > 0 && share < 0.005 ? "<1%" : `${Math.round(share * 100)}%`;
}
