// @ts-check
/** A video file: played and worked on here, or sent to the service and fetched back annotated. */

import { button, byId, save, tell } from "./dom.mjs";
import { Live } from "./live.mjs";
import { asCsv, asJson } from "./record.mjs";
import {
  NO_FACE_IN_VIDEO, Told, framesDone, oneVideo, percent, unreadableVideo,
} from "./words.mjs";

/** @typedef {import("./types.mjs").Numbers} Numbers */
/** @typedef {import("./types.mjs").Result} Result */
/** @typedef {import("./live.mjs").Place} Place */
/** @typedef {import("./server.mjs").ServerPlace} ServerPlace */

const ASK_EVERY_MS = 500;

export class Video {
  /**
   * @param {Numbers} numbers
   * @param {() => Place} place
   */
  constructor(numbers, place) {
    this.numbers = numbers;
    this.place = place;
    this.video = byId("video-video", HTMLVideoElement);
    this.error = byId("video-error", HTMLElement);
    this.progress = byId("video-progress", HTMLElement);
    this.downloads = byId("video-downloads", HTMLElement);
    this.drop = byId("video-drop", HTMLElement);
    this.view = byId("video-live", HTMLElement);
    this.overlay = byId("video-overlay", HTMLCanvasElement);
    this.live = new Live({
      video: this.video,
      overlay: this.overlay,
      stage: byId("video-stage", HTMLElement),
      faces: byId("video-faces", HTMLElement),
      pace: byId("video-pace", HTMLElement),
      heard: byId("heard", HTMLElement),
    }, numbers);
    this.control = new AbortController();
    this.isPaused = false;
    this.video.addEventListener("ended", () => this.#ended());
    // Some frames are still on their way when the film ends.
    this.live.onResult = () => this.#ended();
    document.addEventListener("visibilitychange", () => this.#hiddenOrNot());
    const input = byId("video-input", HTMLInputElement);
    byId("video-choose", HTMLButtonElement).addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      if (input.files?.length) this.open(input.files[0]);
      input.value = "";
    });
    byId("video-close", HTMLButtonElement).addEventListener("click", () => {
      this.close();
      byId("video-choose", HTMLButtonElement).focus();
    });
  }

  /**
   * @param {File} file
   * @param {File[]} others that were given with it, and are left out
   */
  async open(file, others = []) {
    this.close();
    const note = others.length ? oneVideo(others.map(({ name }) => name)) : "";
    tell(this.error, note);
    this.control = new AbortController();
    const { signal } = this.control;
    const place = this.place();
    try {
      if ("upload" in place) await this.#onServer(file, place, signal);
      else await this.#here(file, place, signal);
    } catch (error) {
      if (signal.aborted) return;
      this.close();
      const words = error instanceof Told ? error.message : `${file.name} failed (${error}).`;
      tell(this.error, `${words} ${note}`.trim());
    }
  }

  close() {
    this.control.abort();
    this.live.clear();
    this.video.pause();
    if (this.video.src) URL.revokeObjectURL(this.video.src);
    this.video.removeAttribute("src");
    this.video.load();
    this.downloads.replaceChildren();
    this.view.hidden = true;
    this.drop.hidden = false;
    this.progress.textContent = "";
    tell(this.error, "");
  }

  pause() {
    this.video.pause();
  }

  /** A film does not go on unseen. */
  #hiddenOrNot() {
    if (document.hidden) {
      this.isPaused = !this.video.paused && !this.video.ended;
      this.video.pause();
    } else if (this.isPaused) {
      this.isPaused = false;
      this.video.play().catch(() => {});
    }
  }

  #ended() {
    const { results } = this.live.record;
    if (results.length && this.video.ended) this.#tellFrames(results);
  }

  /** @param {Result[]} results all that there are */
  #tellFrames(results) {
    const withFace = results.filter(({ faces }) => faces.length).length;
    this.progress.textContent = framesDone(results.length, withFace);
    if (!withFace) this.live.panel.clear(NO_FACE_IN_VIDEO);
    return withFace > 0;
  }

  /**
   * @param {File} file
   * @param {Place} place
   * @param {AbortSignal} signal
   */
  async #here(file, place, signal) {
    await this.#load(file, file.name);
    this.overlay.hidden = false;
    const { record } = this.live;
    const stem = file.name.replace(/\.[^.]*$/, "");
    this.downloads.replaceChildren(
      button("Save picture", () => this.live.savePicture(`${stem}_annotated.jpg`)),
      button("Save table (CSV)", () => save(asCsv(record.results, this.numbers, true), `${stem}.csv`)),
      button("Save JSON", () => save(asJson(record.results, this.numbers), `${stem}.json`)),
    );
    const half = Math.floor(Math.max(this.video.videoWidth, this.video.videoHeight) / 2);
    const { smallest_side_px: least, largest_side_px: most } = this.numbers.video;
    const running = this.live.run(place, {
      side: Math.min(Math.max(half, least), most),
      source: file.name,
      time: () => this.video.currentTime,
    });
    signal.addEventListener("abort", () => this.live.stop());
    await this.video.play().catch(() => {});
    await running;
  }

  /**
   * @param {File} file
   * @param {ServerPlace} place
   * @param {AbortSignal} signal
   */
  async #onServer(file, place, signal) {
    this.drop.hidden = true;
    this.progress.textContent = `Sending ${file.name} …`;
    const job = await place.upload(file, (share) => {
      this.progress.textContent = `Sending ${file.name}: ${percent(share)}`;
    }, signal);
    // Whoever leaves the video leaves nothing of it on the service.
    signal.addEventListener("abort", () => {
      place.ask(job, { method: "DELETE", keepalive: true }).catch(() => {});
    });
    const about = await this.#finished(job, file, place, signal);
    if (!about) return;
    /** @param {string} name */
    const fetched = async (name) => (await place.ask(`${job}/${name}`)).blob();
    const lines = (await (await fetched("faces.jsonl")).text()).trim().split("\n");
    /** @type {Result[]} */
    const results = lines.filter(Boolean).map((line) => JSON.parse(line));
    const annotated = await fetched("annotated.mp4");
    if (signal.aborted) return;
    await this.#load(annotated, file.name);
    this.overlay.hidden = true; // the boxes are in the picture
    const stem = file.name.replace(/\.[^.]*$/, "");
    this.downloads.replaceChildren(
      button("Save annotated video", () => save(annotated, `${stem}_annotated.mp4`)),
      button("Save table (CSV)", async () => save(await fetched("faces.csv"), `${stem}.csv`)),
      button("Save JSON", async () => save(await fetched("faces.jsonl"), `${stem}.jsonl`)),
      button("Save subtitles", async () => save(await fetched("segments.vtt"), `${stem}.vtt`)),
    );
    if (this.#tellFrames(results)) this.#follow(results, signal);
    await this.video.play().catch(() => {});
  }

  /**
   * Waits until the service is done with a video.
   * @param {string} job
   * @param {File} file
   * @param {ServerPlace} place
   * @param {AbortSignal} signal
   */
  async #finished(job, file, place, signal) {
    for (;;) {
      const about = await (await place.ask(job)).json();
      if (signal.aborted) return null;
      if (about.state === "done") return about;
      if (about.state === "failed") throw new Told(`${file.name}: ${about.reason}.`);
      const total = about.frames_total ? ` of ${about.frames_total.toLocaleString("en")}` : "";
      this.progress.textContent =
        about.state === "waiting"
          ? `${place.host} works on another video; this one waits.`
          : `${place.host} works on ${file.name}: ${about.frames_done.toLocaleString("en")}${total} frames`;
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
      if (signal.aborted) return null;
    }
  }

  /**
   * Shows what was found at the time at which the video is.
   * @param {Result[]} results
   * @param {AbortSignal} signal
   */
  #follow(results, signal) {
    let shown = -1;
    const step = () => {
      if (signal.aborted) return;
      const time = this.video.currentTime;
      let at = shown >= 0 && results[shown].time_s <= time + 1e-3 ? shown : 0;
      while (at + 1 < results.length && results[at + 1].time_s <= time + 1e-3) at++;
      if (at < shown) this.live.panel.clear("");
      for (let k = at < shown ? at : shown + 1; k <= at && k < results.length; k++) {
        this.live.panel.show(results[k], null);
      }
      shown = results.length ? at : -1;
      requestAnimationFrame(step);
    };
    step();
  }

  /**
   * @param {Blob} blob
   * @param {string} name
   */
  async #load(blob, name) {
    this.view.hidden = false;
    this.drop.hidden = true;
    await new Promise((resolve, reject) => {
      this.video.addEventListener("loadeddata", resolve, { once: true });
      this.video.addEventListener("error", () => reject(new Told(unreadableVideo(name))), { once: true });
      this.video.src = URL.createObjectURL(blob);
    });
    if (!this.video.videoWidth) throw new Told(unreadableVideo(name));
  }
}
