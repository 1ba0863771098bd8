// @ts-check
/** The camera: start, stop, choose, mirror. */

import { button, byId, save, tell } from "./dom.mjs";
import { Live } from "./live.mjs";
import { asCsv, asJson } from "./record.mjs";
import { CAMERA_LEFT, Told, cameraWords, noCameraHere } from "./words.mjs";

/** @typedef {import("./types.mjs").Numbers} Numbers */
/** @typedef {import("./live.mjs").Place} Place */

const WANTED = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };
const SOURCE = "camera";

export class Camera {
  /**
   * @param {Numbers} numbers
   * @param {() => Place} place
   * @param {(files: File[]) => void} onPhotos
   */
  constructor(numbers, place, onPhotos) {
    this.numbers = numbers;
    this.place = place;
    this.video = byId("camera-video", HTMLVideoElement);
    this.error = byId("camera-error", HTMLElement);
    this.idle = byId("camera-idle", HTMLElement);
    this.startButton = byId("camera-start", HTMLButtonElement);
    this.stopButton = byId("camera-stop", HTMLButtonElement);
    this.list = byId("camera-list", HTMLSelectElement);
    this.mirror = byId("camera-mirror", HTMLInputElement);
    this.downloads = byId("camera-downloads", HTMLElement);
    this.live = new Live({
      video: this.video,
      overlay: byId("camera-overlay", HTMLCanvasElement),
      stage: byId("camera-stage", HTMLElement),
      faces: byId("camera-faces", HTMLElement),
      pace: byId("camera-pace", HTMLElement),
      heard: byId("heard", HTMLElement),
    }, numbers);
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {boolean | null} */
    this.chosenMirror = null;
    this.startButton.addEventListener("click", () => this.start());
    this.stopButton.addEventListener("click", () => this.stop());
    this.list.addEventListener("change", () => this.start());
    this.mirror.addEventListener("change", () => {
      this.chosenMirror = this.mirror.checked;
      this.#setMirror(this.mirror.checked);
    });
    const capture = byId("camera-capture", HTMLInputElement);
    capture.addEventListener("change", () => {
      if (capture.files?.length) onPhotos([...capture.files]);
      capture.value = "";
    });
    if (!navigator.mediaDevices?.getUserMedia) this.#withoutCamera();
  }

  #withoutCamera() {
    tell(this.error, noCameraHere());
    this.startButton.hidden = true;
    byId("camera-hint", HTMLElement).hidden = true;
    byId("camera-capture-label", HTMLElement).hidden = false;
  }

  get isOn() {
    return this.stream !== null;
  }

  async start() {
    const device = this.list.disabled ? "" : this.list.value;
    this.#letGo();
    tell(this.error, "");
    this.live.clear("Waiting for the camera …");
    this.startButton.disabled = true;
    /** @type {MediaStream} */
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        video: { ...WANTED, ...(device ? { deviceId: { exact: device } } : { facingMode: "user" }) },
        audio: false,
      });
    } catch (error) {
      this.#failed(cameraWords(error));
      return;
    } finally {
      this.startButton.disabled = false;
    }
    this.stream = stream;
    const [track] = stream.getVideoTracks();
    track.addEventListener("ended", () => {
      if (this.stream === stream) this.#failed(CAMERA_LEFT);
    });
    this.idle.hidden = true;
    this.stopButton.disabled = false;
    const isFront = track.getSettings().facingMode !== "environment";
    this.#setMirror(this.chosenMirror ?? isFront);
    this.video.srcObject = stream;
    await this.video.play().catch(() => {});
    if (document.activeElement === this.startButton || document.activeElement === document.body) {
      this.stopButton.focus();
    }
    this.#listCameras(track);
    this.#offerDownloads();
    await this.go();
  }

  /** Has the frames worked on, at the place that is chosen now. */
  async go() {
    const { stream } = this;
    if (!stream) return;
    const begin = performance.now();
    try {
      await this.live.run(this.place(), {
        side: this.numbers.video.live_side_px,
        source: SOURCE,
        time: () => (performance.now() - begin) / 1000,
      });
    } catch (error) {
      if (this.stream !== stream) return;
      this.#failed(error instanceof Told ? error.message : `It failed (${error}).`);
    }
  }

  stop() {
    this.#letGo();
    this.live.panel.clear("The camera is off.");
    this.startButton.focus();
  }

  #letGo() {
    this.live.stop();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
    this.live.result = null;
    this.live.parts.pace.textContent = "";
    this.live.draw();
    this.idle.hidden = false;
    this.stopButton.disabled = true;
  }

  /** @param {string} words */
  #failed(words) {
    this.#letGo();
    this.live.panel.clear("Faces appear here.");
    tell(this.error, words);
  }

  /** @param {boolean} mirrored */
  #setMirror(mirrored) {
    this.mirror.checked = mirrored;
    this.live.mirrored = mirrored;
    this.video.classList.toggle("mirrored", mirrored);
    this.live.draw();
  }

  /** @param {MediaStreamTrack} track */
  async #listCameras(track) {
    const devices = await navigator.mediaDevices.enumerateDevices();
    const cameras = devices.filter((device) => device.kind === "videoinput" && device.deviceId);
    if (!cameras.length) return;
    const used = track.getSettings().deviceId;
    this.list.replaceChildren(
      ...cameras.map((device, index) =>
        new Option(device.label || `Camera ${index + 1}`, device.deviceId, false, device.deviceId === used)),
    );
    this.list.disabled = false;
  }

  #offerDownloads() {
    const { record } = this.live;
    this.downloads.replaceChildren(
      button("Save picture", () => this.live.savePicture("mien-camera.jpg")),
      button("Save table (CSV)", () => save(asCsv(record.results, this.numbers, true), "mien-camera.csv")),
      button("Save JSON", () => save(asJson(record.results, this.numbers), "mien-camera.json")),
    );
  }
}
