// @ts-check
/** What tells two people in one shot apart; mien/recognition/appearance.py. */

import { everySoMany, resizeArea } from "./pixels.mjs";

/** @typedef {import("./pixels.mjs").Picture} Picture */
/** @typedef {import("../types.mjs").Numbers["appearance"]} AppearanceNumbers */
/** @typedef {{colours: Float32Array, weights: Float32Array}} Appearance */

const CHANNELS = 3;

/**
 * @param {Picture[]} crops
 * @param {[number, number, number][]} squares
 * @param {[number, number, number, number][]} boxes
 * @param {[number, number]} frame width and height
 * @param {AppearanceNumbers} numbers
 * @returns {Appearance[]}
 */
export function describe(crops, squares, boxes, frame, numbers) {
  const side = numbers.side_px;
  return crops.map((crop, index) => {
    const smaller = Math.min(crop.width, crop.height);
    const step = Math.max(1, Math.floor(smaller / (numbers.samples * side)));
    const small = resizeArea(everySoMany(crop, step, step), side, side);
    const seen = seenShare(index, squares, boxes, frame, numbers);
    const size = side * side * CHANNELS;
    const colours = new Float32Array(size);
    const weights = new Float32Array(size);
    for (let pixel = 0; pixel < side * side; pixel++) {
      for (let c = 0; c < CHANNELS; c++) {
        colours[pixel * CHANNELS + c] = small.data[pixel * 4 + c];
        weights[pixel * CHANNELS + c] = seen[pixel];
      }
    }
    return { colours: standardised(colours, weights, numbers.plain), weights };
  });
}

/**
 * 0 alike, 1 unrelated, 2 opposite; less where the two have little in common.
 * @param {Appearance} one
 * @param {Appearance} other
 * @param {AppearanceNumbers} numbers
 */
export function distance(one, other, numbers) {
  let [shared, a, b, aa, bb, ab] = [0, 0, 0, 0, 0, 0];
  for (let k = 0; k < one.colours.length; k++) {
    const weight = one.weights[k] * other.weights[k];
    const [x, y] = [one.colours[k], other.colours[k]];
    shared += weight;
    a += weight * x;
    b += weight * y;
    aa += weight * x * x;
    bb += weight * y * y;
    ab += weight * x * y;
  }
  const total = Math.max(shared, 1);
  const [meanA, meanB] = [a / total, b / total];
  const variance = (aa / total - meanA ** 2) * (bb / total - meanB ** 2);
  const plain = numbers.plain ** 2;
  if (!(variance > plain)) return 0;
  const correlation = (ab / total - meanA * meanB) / Math.sqrt(Math.max(variance, plain));
  const certainty = Math.min(shared / numbers.enough, 1);
  return certainty * (1 - Math.min(Math.max(correlation, -1), 1));
}

/**
 * A remembered appearance with a new sighting.
 * @param {Appearance} past
 * @param {Appearance} present
 * @param {number} weight what the present weighs against the past, 0..1
 * @returns {Appearance}
 */
export function mixed(past, present, weight) {
  const colours = new Float32Array(past.colours.length);
  const weights = new Float32Array(past.colours.length);
  for (let k = 0; k < colours.length; k++) {
    const gain = present.weights[k] * (weight + (1 - weight) * (1 - past.weights[k]));
    colours[k] = past.colours[k] + gain * (present.colours[k] - past.colours[k]);
    weights[k] = 1 - (1 - past.weights[k]) * (1 - present.weights[k]);
  }
  return { colours, weights };
}

/**
 * @param {Float32Array} row
 * @param {Float32Array} weights
 * @param {number} plain
 */
function standardised(row, weights, plain) {
  let [total, sum] = [0, 0];
  for (let k = 0; k < row.length; k++) {
    total += weights[k];
    sum += weights[k] * row[k];
  }
  total = Math.max(total, plain);
  const mean = sum / total;
  let squares = 0;
  for (let k = 0; k < row.length; k++) squares += weights[k] * (row[k] - mean) ** 2;
  const deviation = Math.sqrt(squares / total);
  return row.map((value) => (deviation > plain ? (value - mean) / deviation : 0));
}

/**
 * Share of each pixel of a thumbnail that shows its own face.
 * @param {number} index
 * @param {[number, number, number][]} squares
 * @param {[number, number, number, number][]} boxes
 * @param {[number, number]} frame
 * @param {AppearanceNumbers} numbers
 */
function seenShare(index, squares, boxes, frame, numbers) {
  const side = numbers.side_px;
  const [left, top, length] = squares[index];
  const pixel = length / side;
  const seen = new Float64Array(side * side);
  for (let row = 0; row < side; row++) {
    const y = top + pixel * row;
    const insideY = overlap(y, pixel, 0, frame[1]);
    for (let column = 0; column < side; column++) {
      const x = left + pixel * column;
      let hidden = 0;
      boxes.forEach(([boxX, boxY, width, height], other) => {
        if (other === index) return;
        const [w, h] = [numbers.hides * width, numbers.hides * height];
        const [cornerX, cornerY] = [boxX + width / 2 - w / 2, boxY + height / 2 - h / 2];
        const covers =
          overlap(y, pixel, cornerY, cornerY + h) * overlap(x, pixel, cornerX, cornerX + w);
        hidden = Math.max(hidden, covers);
      });
      seen[row * side + column] = insideY * overlap(x, pixel, 0, frame[0]) * (1 - hidden);
    }
  }
  return seen;
}

/**
 * Share of an interval that lies between two bounds.
 * @param {number} begin
 * @param {number} length
 * @param {number} low
 * @param {number} high
 */
function overlap(begin, length, low, high) {
  const common = Math.min(begin + length, high) - Math.max(begin, low);
  return Math.min(Math.max(common / length, 0), 1);
}
