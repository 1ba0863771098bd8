// @ts-check
/** Photos on their side, turned as their faces stand upright; mien/recognition/turning.py. */

import { blank } from "./pixels.mjs";

/** @typedef {import("./pixels.mjs").Picture} Picture */
/** @typedef {import("../types.mjs").Found} Found */
/** @typedef {import("../types.mjs").Turning} Numbers */
/** @typedef {{turn: number, picture: Picture, found: Found[]}} Upright */

/**
 * The turn with which the faces of a picture stand upright, and those faces.
 * @param {Picture} picture
 * @param {(picture: Picture) => Promise<Found[]>} detect asked once where it is sure of a face
 * @param {Numbers} numbers
 * @returns {Promise<Upright>} degrees, clockwise; the turned picture; the faces in its pixels
 */
export async function upright(picture, detect, numbers) {
  let best = { turn: 0, picture, found: await detect(picture) };
  if (surest(best.found) >= numbers.sure) return best;
  const evidence = (/** @type {Found[]} */ faces) =>
    faces.reduce((sum, { score }) => sum + Math.max(0, score - numbers.doubtful), 0);
  let most = numbers.turned_ratio * evidence(best.found);
  for (const turn of [90, 180, 270]) {
    const image = turned(picture, turn);
    const found = await detect(image);
    if (surest(found) >= numbers.turned_score && evidence(found) > most) {
      best = { turn, picture: image, found };
      most = evidence(found);
    }
  }
  return best;
}

/**
 * A picture turned clockwise.
 * @param {Picture} picture with four channels
 * @param {number} turn in degrees
 * @returns {Picture}
 */
export function turned(picture, turn) {
  if (turn === 0) return picture;
  const { width, height } = picture;
  const isOnSide = turn !== 180;
  const result = blank(isOnSide ? height : width, isOnSide ? width : height, picture.channels);
  const pixels = (/** @type {Picture} */ { data }) =>
    new Uint32Array(data.buffer, data.byteOffset, width * height);
  const [from, to] = [pixels(picture), pixels(result)];
  for (let y = 0, at = 0; y < result.height; y++) {
    for (let x = 0; x < result.width; x++, at++) {
      if (turn === 90) to[at] = from[(height - 1 - x) * width + y];
      else if (turn === 180) to[at] = from[(height - 1 - y) * width + (width - 1 - x)];
      else to[at] = from[x * width + (width - 1 - y)];
    }
  }
  return result;
}

/**
 * A face of a turned picture, in pixels of the picture as it was.
 * @param {Found} face
 * @param {number} turn in degrees
 * @param {Picture} picture as it was
 * @returns {Found}
 */
export function turnedBack(face, turn, { width, height }) {
  if (turn === 0) return face;
  const back = (/** @type {[number, number]} */ [x, y]) =>
    /** @type {[number, number]} */ (
      turn === 90 ? [y, height - x] : turn === 180 ? [width - x, height - y] : [width - y, x]
    );
  const [x, y, w, h] = face.box;
  const [one, other] = [back([x, y]), back([x + w, y + h])];
  const [left, top] = [Math.min(one[0], other[0]), Math.min(one[1], other[1])];
  return {
    ...face,
    box: [left, top, Math.abs(one[0] - other[0]), Math.abs(one[1] - other[1])],
    landmarks: face.landmarks.map(back),
  };
}

/** @param {Found[]} faces */
function surest(faces) {
  return Math.max(0, ...faces.map(({ score }) => score));
}
