// @ts-check
/** Where one shot ends and the next begins; mien/recognition/scenes.py. */

import { everySoMany, resizeArea } from "./pixels.mjs";

/** @typedef {import("../types.mjs").Numbers["cuts"]} CutNumbers */

export class CutDetector {
  /** @param {CutNumbers} numbers */
  constructor(numbers) {
    this.numbers = numbers;
    /** @type {Float64Array[] | null} a plane a channel */
    this.before = null;
  }

  /**
   * Takes the next frame; says whether it shows another scene than the last one.
   * @param {import("./pixels.mjs").Picture} picture
   */
  isCut(picture) {
    const numbers = this.numbers;
    const now = thumbnail(picture, numbers);
    const about = now.map(meanAndDeviation);
    const isPlain = Math.max(...about.map((one) => one.deviation)) < numbers.structure;
    if (isPlain || Math.min(...about.map((one) => one.mean)) > numbers.overexposed) return false;
    const { before } = this;
    this.before = now;
    return before !== null && !sameScene(before, now, numbers);
  }
}

/**
 * @param {import("./pixels.mjs").Picture} picture
 * @param {CutNumbers} numbers
 */
function thumbnail(picture, numbers) {
  const [width, height] = numbers.thumbnail_px;
  const stepX = Math.max(1, Math.floor(picture.width / (2 * width)));
  const stepY = Math.max(1, Math.floor(picture.height / (2 * height)));
  const small = resizeArea(everySoMany(picture, stepX, stepY), width, height);
  return [0, 1, 2].map((channel) =>
    Float64Array.from({ length: width * height }, (_, at) => small.data[4 * at + channel]),
  );
}

/** @param {Float64Array} plane */
function meanAndDeviation(plane) {
  let [sum, squares] = [0, 0];
  for (const value of plane) sum += value;
  const mean = sum / plane.length;
  for (const value of plane) squares += (value - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / plane.length) };
}

/**
 * @param {Float64Array[]} before
 * @param {Float64Array[]} after
 * @param {CutNumbers} numbers
 */
function sameScene(before, after, numbers) {
  const alike = (/** @type {Float64Array[]} */ one, /** @type {Float64Array[]} */ other) =>
    correlates(one, other, numbers);
  return (
    alike(before, after) ||
    alike(matched(before, after), after) ||
    alike(before, matched(after, before)) ||
    halfStays(before, after, numbers)
  );
}

/**
 * @param {Float64Array[]} before
 * @param {Float64Array[]} after
 * @param {CutNumbers} numbers
 */
function halfStays(before, after, numbers) {
  const size = before[0].length;
  let [shows, stays] = [0, 0];
  for (let at = 0; at < size; at++) {
    let [brightest, change] = [0, 0];
    for (let c = 0; c < 3; c++) {
      brightest = Math.max(brightest, before[c][at], after[c][at]);
      change = Math.max(change, Math.abs(before[c][at] - after[c][at]));
    }
    if (brightest >= numbers.dark) {
      shows++;
      if (change <= numbers.stays) stays++;
    }
  }
  return stays >= Math.max(0.5 * shows, 0.25 * size);
}

/**
 * Whether the normalised correlation is large enough for any shift; that of a plain picture is 0.
 * @param {Float64Array[]} before
 * @param {Float64Array[]} after
 * @param {CutNumbers} numbers
 */
function correlates(before, after, numbers) {
  const [width, height] = numbers.thumbnail_px;
  const [columns, rows] = numbers.margin_px;
  const [innerW, innerH] = [width - 2 * columns, height - 2 * rows];
  const inner = after.map((plane) => cut(plane, width, columns, rows, innerW, innerH));
  const about = inner.map(meanAndDeviation);
  if (Math.max(...about.map((one) => one.deviation)) < 1) return false;
  let norm = 0;
  inner.forEach((plane, c) => {
    for (let k = 0; k < plane.length; k++) {
      plane[k] -= about[c].mean;
      norm += plane[k] ** 2;
    }
  });
  // The middle first: most frames are where the last one was.
  for (const top of fromMiddle(rows)) {
    for (const left of fromMiddle(columns)) {
      let [product, squares] = [0, 0];
      before.forEach((plane, c) => {
        const window = cut(plane, width, left, top, innerW, innerH);
        const { mean } = meanAndDeviation(window);
        for (let k = 0; k < window.length; k++) {
          const value = window[k] - mean;
          product += value * inner[c][k];
          squares += value * value;
        }
      });
      const scale = Math.sqrt(squares * norm);
      if (scale > 0 && product / scale >= numbers.same_scene) return true;
    }
  }
  return false;
}

/** @param {number} middle */
function fromMiddle(middle) {
  const all = Array.from({ length: 2 * middle + 1 }, (_, at) => at);
  return all.sort((one, other) => Math.abs(one - middle) - Math.abs(other - middle));
}

/**
 * @param {Float64Array} plane
 * @param {number} width
 * @param {number} left
 * @param {number} top
 * @param {number} w
 * @param {number} h
 */
function cut(plane, width, left, top, w, h) {
  const part = new Float64Array(w * h);
  for (let y = 0; y < h; y++) {
    const from = (top + y) * width + left;
    part.set(plane.subarray(from, from + w), y * w);
  }
  return part;
}

/**
 * A thumbnail with the levels of another one, per channel, darkest to darkest.
 * @param {Float64Array[]} planes
 * @param {Float64Array[]} reference
 */
function matched(planes, reference) {
  return planes.map((plane, c) => {
    const order = Array.from(plane.keys()).sort((one, other) => plane[one] - plane[other]);
    const levels = Float64Array.from(reference[c]).sort();
    const result = new Float64Array(plane.length);
    order.forEach((at, rank) => {
      result[at] = levels[rank];
    });
    return result;
  });
}
