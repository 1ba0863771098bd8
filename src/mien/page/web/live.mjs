// @ts-check
/** The loop over the frames of something that plays: take, have it worked on, show. */

import { contextOf, drawingScale, save } from "./dom.mjs";
import { FacePanel, labelsOf } from "./faces.mjs";
import { TagMemory, drawFaces } from "./overlay.mjs";
import { Seen } from "./record.mjs";
import { PAUSED } from "./words.mjs";

/** @typedef {import("./types.mjs").Numbers} Numbers */
/** @typedef {import("./types.mjs").Result} Result */
/** @typedef {import("./local.mjs").BrowserPlace | import("./server.mjs").ServerPlace} Place */

const PACE_EVERY_MS = 1000;
/** Pixels of the overlay per pixel of the screen: more takes longer and is not seen. */
const MOST_DENSITY = 2;

export class Live {
  /**
   * @param {{video: HTMLVideoElement, overlay: HTMLCanvasElement, stage: HTMLElement,
   *   faces: HTMLElement, pace: HTMLElement, heard: HTMLElement}} parts
   * @param {Numbers} numbers
   */
  constructor(parts, numbers) {
    this.parts = parts;
    this.numbers = numbers;
    this.labels = labelsOf(numbers);
    this.panel = new FacePanel(parts.faces, numbers, parts.heard);
    this.record = new Seen();
    this.tags = new TagMemory();
    this.mirrored = false;
    /** @type {Result | null} */
    this.result = null;
    /** @type {AbortController | null} */
    this.running = null;
    this.frames = 0;
    /** @type {(result: Result) => void} */
    this.onResult = () => {};
    new ResizeObserver(() => this.draw()).observe(parts.stage);
    parts.video.addEventListener("loadedmetadata", () => this.fit());
    parts.video.addEventListener("resize", () => this.fit());
  }

  /** Gives the stage the shape of the picture. */
  fit() {
    const { videoWidth: width, videoHeight: height } = this.parts.video;
    if (width && height) {
      this.parts.stage.style.setProperty("--ratio", `${width / height}`);
      this.parts.stage.classList.add("fitted");
    }
  }

  /**
   * Goes on until `stop`; throws where the place fails.
   * @param {Place} place
   * @param {{side: number, source: string, time: () => number}} about
   */
  async run(place, about) {
    this.stop();
    const control = new AbortController();
    this.running = control;
    const { signal } = control;
    const { video } = this.parts;
    await place.begin(about.side);
    let onTheirWay = 0;
    let last = -Infinity;
    /** @type {Error | null} */
    let failure = null;
    let wake = () => {};
    const end = () => {
      place.end();
      wake();
    };
    if (signal.aborted) return end();
    signal.addEventListener("abort", end, { once: true });
    this.#beginPace(signal);
    while (!signal.aborted && !failure) {
      if (!(await this.#frame(signal))) break;
      if (onTheirWay >= place.depth) {
        await new Promise((resolve) => {
          wake = () => resolve(undefined);
        });
        if (signal.aborted || failure) break;
      }
      const time = about.time();
      if (time < last) await place.begin(about.side); // the visitor went back
      if (time <= last && time >= last - 0.001) continue;
      last = time;
      if (!video.videoWidth) continue;
      onTheirWay++;
      const number = this.frames++;
      place
        .frame(video, time)
        .then(
          (result) => {
            if (result && !signal.aborted) {
              this.show({ ...result, source: about.source, frame: number });
            }
          },
          (error) => {
            failure = error instanceof Error ? error : new Error(String(error));
          },
        )
        .finally(() => {
          onTheirWay--;
          wake();
        });
    }
    if (failure && !signal.aborted) {
      control.abort();
      throw failure;
    }
  }

  stop() {
    this.running?.abort();
    this.running = null;
  }

  /** Forgets what was seen. */
  clear(words = "Faces appear here.") {
    this.stop();
    this.result = null;
    this.frames = 0;
    this.record.clear();
    this.tags = new TagMemory();
    this.panel.clear(words);
    this.parts.pace.textContent = "";
    this.draw();
  }

  /** @param {Result} result */
  show(result) {
    this.result = result;
    this.record.add(result);
    this.#shown++;
    this.parts.pace.dataset.frames = `${Number(this.parts.pace.dataset.frames ?? 0) + 1}`;
    this.draw();
    const { video } = this.parts;
    this.panel.show(result, {
      source: video,
      mirrored: this.mirrored,
      scale: video.videoWidth / result.width,
    });
    this.onResult(result);
  }

  draw() {
    const { overlay } = this.parts;
    const density = Math.min(window.devicePixelRatio || 1, MOST_DENSITY);
    const width = Math.round(overlay.clientWidth * density);
    const height = Math.round(overlay.clientHeight * density);
    if (overlay.width !== width || overlay.height !== height) {
      [overlay.width, overlay.height] = [width, height];
    }
    const context = contextOf(overlay);
    context.clearRect(0, 0, width, height);
    if (this.result) {
      const view = { width, height, scale: drawingScale(MOST_DENSITY), mirrored: this.mirrored };
      drawFaces(context, this.result, this.labels, view, this.tags);
    }
  }

  /**
   * The present picture with its boxes, as a file.
   * @param {string} name
   */
  savePicture(name) {
    const { video } = this.parts;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const context = contextOf(canvas);
    if (this.mirrored) context.setTransform(-1, 0, 0, 1, canvas.width, 0);
    context.drawImage(video, 0, 0);
    context.resetTransform();
    if (this.result) {
      const { width, height } = canvas;
      drawFaces(context, this.result, this.labels, { width, height, mirrored: this.mirrored });
    }
    canvas.toBlob((blob) => blob && save(blob, name), "image/jpeg", 0.92);
  }

  #shown = 0;

  /** @param {AbortSignal} signal */
  #beginPace(signal) {
    let before = performance.now();
    this.#shown = 0;
    const timer = setInterval(() => {
      const now = performance.now();
      const pace = (this.#shown * 1000) / (now - before);
      const words = document.hidden ? PAUSED : `${Math.round(pace)} frames a second`;
      this.parts.pace.textContent = words;
      this.parts.pace.dataset.pace = pace.toFixed(2);
      [before, this.#shown] = [now, 0];
    }, PACE_EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  /**
   * Waits for the next frame, and while the tab is hidden.
   * @param {AbortSignal} signal
   * @returns {Promise<boolean>} false where it was stopped
   */
  #frame(signal) {
    const { video } = this.parts;
    return new Promise((resolve) => {
      const end = () => resolve(false);
      if (signal.aborted) return end();
      signal.addEventListener("abort", end, { once: true });
      const go = () => {
        signal.removeEventListener("abort", end);
        resolve(true);
      };
      const wait = () => {
        if (document.hidden) {
          document.addEventListener("visibilitychange", wait, { once: true });
        } else if ("requestVideoFrameCallback" in video) {
          video.requestVideoFrameCallback(go);
        } else {
          requestAnimationFrame(go);
        }
      };
      wait();
    });
  }
}
