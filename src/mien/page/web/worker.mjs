// @ts-check
/** The worker that recognises in the browser: loads once, then answers pictures one by one. */

import { Recognizer } from "./engine/recognizer.mjs";

/** @typedef {import("./types.mjs").Numbers} Numbers */
/** @typedef {import("./types.mjs").Run} Run */

const GZIP = [0x1f, 0x8b];

/** @type {Recognizer | null} */
let recognizer = null;
/** @type {Numbers | null} */
let numbers = null;
/** @type {OffscreenCanvas | null} */
let canvas = null;
/** @type {Record<string, Run>} */
let networks = {};

/**
 * Loads everything that there is to load; nothing is requested afterwards.
 * @param {{numbers: Numbers, token: string}} given
 */
async function load(given) {
  if (typeof WebAssembly !== "object") throw new Error("wasm");
  numbers = given.numbers;
  const { runtime, detector, model } = numbers;
  const names = [runtime.wasm, detector.file, model.file];
  const loaded = names.map(() => 0);
  const [wasm, detectorFile, modelFile] = await Promise.all(
    names.map((name, index) =>
      fetched(name, given.token, (bytes) => {
        loaded[index] = bytes;
        postMessage({ progress: loaded.reduce((sum, one) => sum + one, 0) });
      }),
    ),
  );
  const here = new URL(".", import.meta.url);
  const ort = await import(new URL(runtime.module, here).href);
  // One thread: two were slower on two cores, and more would need cross-origin isolation.
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await unpacked(wasm);
  ort.env.wasm.wasmPaths = { mjs: new URL(runtime.glue, here).href };
  ort.env.logLevel = "error";
  networks = {
    detector: await opened(ort, detectorFile, false),
    classifier: await opened(ort, modelFile, true),
  };
  recognizer = new Recognizer(numbers, {
    detector: networks.detector,
    classifier: networks.classifier,
  });
  // Once without a face and once with one, so that the first picture does not wait.
  const grey = new Uint8Array(4 * 320 * 256).fill(128);
  await recognizer.photo({ data: grey, width: 320, height: 256, channels: 4 });
  await recognizer.probabilities([{ data: grey.slice(0, 16384), width: 64, height: 64, channels: 4 }]);
  return true;
}

/**
 * @param {string} name
 * @param {string} token
 * @param {(bytes: number) => void} progress
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
async function fetched(name, token, progress) {
  const headers = token ? { Authorization: `Bearer ${token}` } : undefined;
  const answer = await fetch(new URL(name, import.meta.url), { headers });
  if (!answer.ok || !answer.body) throw new Error(`${name}: ${answer.status}`);
  const pieces = [];
  let bytes = 0;
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    pieces.push(value);
    bytes += value.length;
    progress(bytes);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/**
 * What gzip packed; some hosts unpack it on the way.
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
async function unpacked(bytes) {
  if (bytes[0] !== GZIP[0] || bytes[1] !== GZIP[1]) return bytes.buffer;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/**
 * @param {any} ort ONNX Runtime Web
 * @param {Uint8Array} file
 * @param {boolean} sameSize whether all inputs are of one size, so that memory can be planned
 * @returns {Promise<Run>}
 */
async function opened(ort, file, sameSize) {
  const session = await ort.InferenceSession.create(file, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
    enableMemPattern: sameSize,
  });
  return async (input, shape) => {
    const tensor = new ort.Tensor("float32", input, shape);
    const outputs = await session.run({ [session.inputNames[0]]: tensor });
    return Object.fromEntries(session.outputNames.map((/** @type {string} */ name) => [name, outputs[name].data]));
  };
}

/**
 * Pixels of a bitmap, transparency on white; reduced where it is larger than canvases may be.
 * @param {ImageBitmap} bitmap
 * @param {boolean} isFrame whether more of the same size will come
 */
function pixelsOf(bitmap, isFrame) {
  const most = numbers?.most_pixels ?? Infinity;
  const scale = Math.min(1, Math.sqrt(most / (bitmap.width * bitmap.height)));
  const width = Math.max(1, Math.floor(bitmap.width * scale));
  const height = Math.max(1, Math.floor(bitmap.height * scale));
  if (!canvas || canvas.width !== width || canvas.height !== height) {
    canvas = new OffscreenCanvas(width, height);
  }
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
  if (!context) throw new Error("no canvas");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  if (!isFrame) canvas = null;
  return { picture: { data, width, height, channels: 4 }, scale };
}

/** @param {{file: Blob}} given */
async function photo({ file }) {
  /** @type {ImageBitmap} */
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, {
      imageOrientation: "from-image",
      colorSpaceConversion: "none",
    });
  } catch {
    throw new Error("unreadable");
  }
  const { width, height } = bitmap;
  const { picture, scale } = pixelsOf(bitmap, false);
  bitmap.close();
  const result = await ready().photo(picture);
  const back = 1 / scale;
  const faces = result.faces.map((face) => ({
    ...face,
    ...enlarged(face, back),
  }));
  return { ...result, width, height, faces };
}

/**
 * What is in pixels, in those of the picture before it was reduced.
 * @param {import("./types.mjs").Face} face
 * @param {number} factor
 */
function enlarged({ box, landmarks, interocular_px }, factor) {
  const [x, y, width, height] = box.map((value) => value * factor);
  const points = Object.entries(landmarks ?? {}).map(([name, point]) => [
    name,
    point.map((value) => value * factor),
  ]);
  return {
    box: /** @type {import("./types.mjs").Face["box"]} */ ([x, y, width, height]),
    ...(landmarks ? { landmarks: Object.fromEntries(points) } : {}),
    ...(interocular_px === undefined ? {} : { interocular_px: interocular_px * factor }),
  };
}

/** @param {{bitmap: ImageBitmap, time: number}} given */
async function frame({ bitmap, time }) {
  const { picture } = pixelsOf(bitmap, true);
  bitmap.close();
  return ready().frame(picture, time);
}

/**
 * Logits and boxes of pixels as they are, for tests of what this computes.
 * @param {{pixels: import("./engine/pixels.mjs").Picture, time?: number}} given
 */
function pixels({ pixels: picture, time }) {
  return time === undefined ? ready().photo(picture) : ready().frame(picture, time);
}

/** @param {{faces: import("./engine/pixels.mjs").Picture[]}} given */
function probabilities({ faces }) {
  return ready().probabilities(faces);
}

/** @param {{side: number}} given */
function restart({ side }) {
  ready().restart(side);
  return true;
}

function ready() {
  if (!recognizer) throw new Error("not loaded");
  return recognizer;
}

/** @type {Record<string, (given: any) => unknown>} */
const KINDS = { load, photo, frame, pixels, probabilities, restart };

/** One after the other, in the order in which they came. */
let last = Promise.resolve();

addEventListener("message", ({ data }) => {
  last = last.then(async () => {
    try {
      postMessage({ id: data.id, answer: await KINDS[data.kind](data) });
    } catch (error) {
      postMessage({ id: data.id, error: error instanceof Error ? error.message : String(error) });
    }
  });
});
