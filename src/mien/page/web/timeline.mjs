// @ts-check
/** Stacked probabilities of one face over the last seconds, right edge now. */

import { contextOf, css } from "./dom.mjs";

/** @typedef {import("./types.mjs").Label} Label */
/** @typedef {{time: number, values: number[]}} Moment */

export const SPAN_S = 20;
/** A face that was away for longer leaves a hole; slow machines see one frame a second. */
const HOLE_S = 1.5;

export class Timeline {
  /** @param {Label[]} labels */
  constructor(labels) {
    this.labels = labels;
    /** @type {Moment[]} */
    this.moments = [];
    this.canvas = document.createElement("canvas");
    this.canvas.className = "timeline";
    this.canvas.setAttribute("role", "img");
  }

  /**
   * @param {number} time
   * @param {number[]} values
   */
  add(time, values) {
    this.moments.push({ time, values });
    while (this.moments.length && this.moments[0].time < time - SPAN_S - 1) this.moments.shift();
  }

  /**
   * @param {number} now
   * @param {string} words what it shows, for those who cannot see it
   */
  draw(now, words) {
    const { canvas, moments, labels } = this;
    const scale = window.devicePixelRatio || 1;
    const width = Math.round((canvas.clientWidth || 300) * scale);
    const height = Math.round((canvas.clientHeight || 48) * scale);
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const context = contextOf(canvas);
    context.clearRect(0, 0, width, height);
    const at = (/** @type {number} */ time) => width * (1 - (now - time) / SPAN_S);
    for (const run of runs(moments)) {
      /** @type {number[]} */
      let floor = run.map(() => 0);
      labels.forEach((label, index) => {
        const top = run.map((moment, k) => floor[k] + moment.values[index]);
        context.fillStyle = css(label.color_rgb);
        context.beginPath();
        run.forEach((moment, k) => context.lineTo(at(moment.time), height * (1 - top[k])));
        for (let k = run.length - 1; k >= 0; k--) {
          context.lineTo(at(run[k].time), height * (1 - floor[k]));
        }
        context.closePath();
        context.fill();
        floor = top;
      });
    }
    if (canvas.getAttribute("aria-label") !== words) canvas.setAttribute("aria-label", words);
  }
}

/**
 * @param {Moment[]} moments
 * @returns {Moment[][]}
 */
function runs(moments) {
  /** @type {Moment[][]} */
  const found = [];
  for (const moment of moments) {
    const run = found.at(-1);
    const last = run?.at(-1);
    if (run && last && moment.time - last.time <= HOLE_S) run.push(moment);
    else found.push([moment]);
  }
  return found;
}
