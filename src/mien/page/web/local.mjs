// @ts-check
/** This browser as the place where the work is done. */

import { HERE, TOO_OLD, Told, WASM_BLOCKED, noBrowserMode, unreadablePhoto } from "./words.mjs";

/** @typedef {import("./types.mjs").Numbers} Numbers */
/** @typedef {import("./types.mjs").Result} Result */

export class BrowserPlace {
  /**
   * @param {Numbers} numbers
   * @param {string} token
   * @param {boolean} hasServer
   */
  constructor(numbers, token, hasServer) {
    this.numbers = numbers;
    this.token = token;
    this.hasServer = hasServer;
    this.words = HERE;
    /** Frames that are on their way at a time: one is worked on while the next one is taken. */
    this.depth = 2;
    this.isBrowser = true;
    this.next = 0;
    /** @type {Map<number, {resolve: (value: any) => void, reject: (why: Error) => void}>} */
    this.waiting = new Map();
    /** @type {Promise<void> | null} */
    this.loading = null;
    /** @type {(bytes: number) => void} */
    this.onProgress = () => {};
  }

  /**
   * Loads what recognises, once.
   * @returns {Promise<void>}
   */
  load() {
    this.loading ??= this.#load();
    return this.loading;
  }

  async #load() {
    if (typeof WebAssembly !== "object") throw new Told(noBrowserMode(WASM_BLOCKED));
    if (typeof OffscreenCanvas === "undefined" || typeof DecompressionStream === "undefined") {
      throw new Told(noBrowserMode(TOO_OLD));
    }
    this.worker = new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
    this.worker.addEventListener("message", ({ data }) => {
      if ("progress" in data) return this.onProgress(data.progress);
      const waiting = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if ("error" in data) waiting?.reject(new Error(data.error));
      else waiting?.resolve(data.answer);
    });
    this.worker.addEventListener("error", (event) => {
      event.preventDefault();
      const why = new Error(event.message || "the worker failed");
      for (const { reject } of this.waiting.values()) reject(why);
      this.waiting.clear();
    });
    try {
      await this.ask({ kind: "load", numbers: this.numbers, token: this.token });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const isWasm = /wasm|WebAssembly|CompileError|unsafe-eval/i.test(text) && !/: \d{3}$/.test(text);
      throw new Told(noBrowserMode(isWasm ? WASM_BLOCKED : `its files did not load (${text})`));
    }
  }

  /**
   * @param {Record<string, unknown>} message
   * @param {Transferable[]} [transfer]
   * @returns {Promise<any>}
   */
  ask(message, transfer = []) {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker?.postMessage({ ...message, id }, transfer);
    });
  }

  /**
   * @param {File} file
   * @returns {Promise<Result>}
   */
  async photo(file) {
    await this.load();
    try {
      return { ...(await this.ask({ kind: "photo", file })), source: file.name };
    } catch (error) {
      if (error instanceof Error && error.message === "unreadable") {
        throw new Told(unreadablePhoto(file.name || "The picture", this.hasServer));
      }
      throw error;
    }
  }

  /** @param {number} side longest side of the pictures that are searched */
  async begin(side) {
    await this.load();
    await this.ask({ kind: "restart", side });
  }

  /**
   * @param {HTMLVideoElement} video
   * @param {number} time in seconds
   * @returns {Promise<Result | null>}
   */
  async frame(video, time) {
    const bitmap = await createImageBitmap(video);
    return this.ask({ kind: "frame", bitmap, time }, [bitmap]);
  }

  end() {}
}
