// @ts-check
/** The service as the place where the work is done. */

import { contextOf } from "./dom.mjs";
import {
  LIVE_FULL, STILL_BUSY, ServerGone, TOKEN_WANTED, Told, busy, onServer, tooLarge,
} from "./words.mjs";

/** @typedef {import("./types.mjs").Numbers} Numbers */
/** @typedef {import("./types.mjs").Start} Start */
/** @typedef {import("./types.mjs").Result} Result */

const LONGEST_SENT_PX = 640;
const JPEG_QUALITY = 0.85;
const MOST_TRIES = 5;
const POLICY_CODE = 1008;
const SILENT_CODE = 4408; // as while the tab is hidden
const FULL_CODE = 1013;

export class ServerPlace {
  /**
   * @param {Start} start
   * @param {string} token
   */
  constructor(start, token) {
    this.start = start;
    this.token = token;
    this.host = location.host;
    this.words = onServer(this.host);
    this.depth = 2;
    this.isBrowser = false;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {Map<number, {resolve: (value: any) => void, reject: (why: Error) => void}>} */
    this.waiting = new Map();
    this.canvas = document.createElement("canvas");
    this.sent = 0;
    this.wasSilent = false;
    /** @type {Promise<unknown>} */
    this.sending = Promise.resolve();
    /** @type {(words: string) => void} */
    this.onWait = () => {};
  }

  async load() {}

  /** @returns {Record<string, string>} */
  headers() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }

  /**
   * Asks the service, again where it is busy.
   * @param {string} path
   * @param {Omit<RequestInit, "headers"> & {headers?: Record<string, string>}} [options]
   * @returns {Promise<Response>}
   */
  async ask(path, options = {}) {
    for (let attempt = 1; ; attempt++) {
      let answer;
      try {
        const headers = { ...this.headers(), ...options.headers };
        answer = await fetch(new URL(path, document.baseURI), { ...options, headers });
      } catch {
        throw new ServerGone(this.host);
      }
      if (answer.ok) return answer;
      if (answer.status === 503 && attempt < MOST_TRIES) {
        const seconds = Number(answer.headers.get("Retry-After")) || 1;
        this.onWait(busy(seconds));
        await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
        this.onWait("");
        continue;
      }
      throw new Told(await reason(answer, this.host));
    }
  }

  /**
   * @param {File} file
   * @returns {Promise<Result>}
   */
  async photo(file) {
    const name = file.name || "The picture";
    if (file.size > this.start.body_bytes) throw new Told(tooLarge(name, this.start.body_bytes));
    const kind = file.type.startsWith("image/") ? file.type : "image/jpeg";
    const answer = await this.ask("v1/recognize?rotate=auto", {
      method: "POST",
      body: file,
      headers: { "Content-Type": kind },
    });
    const { results } = await answer.json();
    return { ...results[0], source: file.name };
  }

  /** @param {number} _side is the service's own to choose */
  async begin(_side) {
    this.end();
    const address = new URL("v1/live", document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.wasSilent = false;
    this.sent = 0;
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", () => {
        socket.send(JSON.stringify(this.token ? { token: this.token } : {}));
      });
      socket.addEventListener("close", ({ code }) => {
        const why = this.#closed(code);
        reject(why);
        for (const waiting of this.waiting.values()) waiting.reject(why);
        this.waiting.clear();
        if (this.socket === socket) this.socket = null;
        this.wasSilent = code === SILENT_CODE;
      });
      socket.addEventListener("message", ({ data }) => {
        const answer = JSON.parse(data);
        if (answer.ready) return resolve(undefined);
        this.#answered(answer);
      });
    });
  }

  /** @param {number} code */
  #closed(code) {
    if (code === POLICY_CODE) return new Told(TOKEN_WANTED);
    if (code === FULL_CODE) return new Told(LIVE_FULL);
    return new ServerGone(this.host);
  }

  /** @param {any} answer */
  #answered(answer) {
    for (const [number, waiting] of this.waiting) {
      if (number > answer.frame) continue;
      this.waiting.delete(number);
      if (number < answer.frame) waiting.resolve(null); // a newer one came before its turn
      else if (answer.type) waiting.reject(new Told(`${this.host}: ${answer.detail}`));
      else waiting.resolve(answer);
    }
  }

  /**
   * @param {HTMLVideoElement} video
   * @param {number} time in seconds
   * @returns {Promise<Result | null>} null where a newer frame came before its turn
   */
  async frame(video, time) {
    const scale = Math.min(1, LONGEST_SENT_PX / Math.max(video.videoWidth, video.videoHeight));
    const width = Math.round(video.videoWidth * scale);
    const height = Math.round(video.videoHeight * scale);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      [this.canvas.width, this.canvas.height] = [width, height];
    }
    contextOf(this.canvas).drawImage(video, 0, 0, width, height);
    const encoded = new Promise((resolve) => {
      this.canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY);
    });
    // In the order in which they were taken.
    const before = this.sending;
    this.sending = encoded;
    const [blob] = await Promise.all([/** @type {Promise<Blob | null>} */ (encoded), before]);
    if (this.wasSilent) await this.begin(0);
    const { socket } = this;
    if (!socket || socket.readyState !== WebSocket.OPEN || !blob) throw new ServerGone(this.host);
    const number = this.sent++;
    const answer = await new Promise((resolve, reject) => {
      this.waiting.set(number, { resolve, reject });
      socket.send(blob);
    });
    return answer && { ...answer, time_s: time };
  }

  end() {
    const { socket } = this;
    this.socket = null;
    socket?.close();
    for (const { resolve } of this.waiting.values()) resolve(null);
    this.waiting.clear();
  }

  /**
   * Sends a video; gives the address of the work on it.
   * @param {File} file
   * @param {(share: number) => void} progress
   * @param {AbortSignal} signal
   * @returns {Promise<string>}
   */
  async upload(file, progress, signal) {
    if (file.size > this.start.video_bytes) throw new Told(tooLarge(file.name, this.start.video_bytes));
    return new Promise((resolve, reject) => {
      // fetch() does not tell how much was sent.
      const request = new XMLHttpRequest();
      request.open("POST", new URL("v1/videos", document.baseURI));
      for (const [name, value] of Object.entries(this.headers())) request.setRequestHeader(name, value);
      request.upload.addEventListener("progress", (event) => progress(event.loaded / event.total));
      request.addEventListener("error", () => reject(new ServerGone(this.host)));
      request.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
      request.addEventListener("load", () => {
        if (request.status === 202) return resolve(`v1/videos/${JSON.parse(request.responseText).id}`);
        const answer = new Response(request.responseText, { status: request.status });
        reason(answer, this.host).then((words) => reject(new Told(words)));
      });
      signal.addEventListener("abort", () => request.abort());
      // As a form, in which the file has a name: the results are to bear it.
      const form = new FormData();
      form.append("video", file, file.name);
      request.send(form);
    });
  }
}

/**
 * What a problem says.
 * @param {Response} answer
 * @param {string} host
 */
async function reason(answer, host) {
  if (answer.status === 401) return TOKEN_WANTED;
  if (answer.status === 503) return STILL_BUSY;
  try {
    const problem = await answer.json();
    return `${host}: ${problem.detail}.`;
  } catch {
    return `${host} answered ${answer.status}.`;
  }
}
