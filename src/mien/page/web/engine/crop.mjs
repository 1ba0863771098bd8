// @ts-check
/** From a detector's box to the upright square that the network sees; mien/preprocessing.py. */

import { blank, resizeArea, resizeLinear, rint, toGrey } from "./pixels.mjs";

/** @typedef {import("./pixels.mjs").Picture} Picture */
/** @typedef {[number, number, number, number]} Box left, top, width, height in pixels */
/** @typedef {import("../types.mjs").Crop} Crop */

/**
 * Left, top and side of the crop; it may reach beyond the picture.
 * @param {Box} box
 * @param {Crop} crop
 * @returns {[number, number, number]}
 */
export function squareOf(box, crop) {
  const [x, y, width, height] = box;
  const side = crop.side_per_width * width;
  const middleX = x + width / 2 + crop.shift_x * side;
  const middleY = y + height / 2 + crop.shift_y * side;
  return [middleX - side / 2, middleY - side / 2, side];
}

/**
 * By how much a face is turned, clockwise as seen, in degrees; 0 for small angles.
 * @param {[number, number][]} landmarks
 * @param {Crop} crop
 * @param {number} from smallest angle that counts
 */
export function turnOf(landmarks, crop, from = crop.turn_from_deg) {
  if (!landmarks.length || !crop.landmarks.length) return 0;
  let [middleX, middleY] = [0, 0];
  for (const [x, y] of crop.landmarks) {
    middleX += x / crop.landmarks.length;
    middleY += y / crop.landmarks.length;
  }
  let [along, across] = [0, 0];
  crop.landmarks.forEach(([x, y], index) => {
    const [foundX, foundY] = landmarks[index];
    along += (x - middleX) * foundX + (y - middleY) * foundY;
    across += (x - middleX) * foundY - (y - middleY) * foundX;
  });
  const angle = (Math.atan2(across, along) * 180) / Math.PI;
  return Math.abs(angle) >= from ? angle : 0;
}

/**
 * A face, upright, as the training faces were framed.
 * @param {Picture} picture
 * @param {Box} box
 * @param {[number, number][]} landmarks
 * @param {Crop} crop
 * @returns {Picture}
 */
export function cropFace(picture, box, landmarks, crop) {
  const [left, top, side] = squareOf(box, crop);
  const turn = turnOf(landmarks, crop);
  if (turn) return cropTurned(picture, left, top, side, (turn * Math.PI) / 180, crop);
  return cropUpright(picture, rint(left), rint(top), Math.max(1, rint(side)));
}

/**
 * A square of whole pixels; beyond the edge the edge is repeated.
 * @param {Picture} picture
 * @param {number} left
 * @param {number} top
 * @param {number} side
 * @returns {Picture}
 */
export function cropUpright(picture, left, top, side) {
  const { width, height, channels } = picture;
  const square = blank(side, side, channels);
  if (left >= 0 && top >= 0 && left + side <= width && top + side <= height) {
    for (let y = 0; y < side; y++) {
      const from = ((top + y) * width + left) * channels;
      square.data.set(picture.data.subarray(from, from + side * channels), y * side * channels);
    }
    return square;
  }
  let to = 0;
  for (let y = top; y < top + side; y++) {
    const row = Math.min(Math.max(y, 0), height - 1) * width;
    for (let x = left; x < left + side; x++) {
      const at = (row + Math.min(Math.max(x, 0), width - 1)) * channels;
      for (let c = 0; c < channels; c++) square.data[to++] = picture.data[at + c];
    }
  }
  return square;
}

/**
 * @param {Picture} picture
 * @param {number} left
 * @param {number} top
 * @param {number} side
 * @param {number} angle in radians
 * @param {Crop} crop
 * @returns {Picture}
 */
function cropTurned(picture, left, top, side, angle, crop) {
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  // The upright square around the turned one, with a pixel to interpolate from.
  const reach = (side / 2) * (Math.abs(cosine) + Math.abs(sine)) + 1;
  const aroundLeft = rint(left + side / 2 - reach);
  const aroundTop = rint(top + side / 2 - reach);
  let around = cropUpright(picture, aroundLeft, aroundTop, Math.ceil(2 * reach));
  const full = around.width;
  const size = Math.min(full, Math.max(1, rint((full * 2 * crop.turned_side_px) / side)));
  const scale = size / full;
  if (scale < 1) around = resizeLinear(around, size, size);
  const target = Math.min(crop.turned_side_px, Math.max(1, rint(side)));
  const step = (side * scale) / target;
  const middle = target / 2 - 0.5;
  const [a, b] = [step * cosine, -step * sine];
  const [c, d] = [step * sine, step * cosine];
  const offsetX = scale * (left + side / 2 - aroundLeft) - 0.5 - (a + b) * middle;
  const offsetY = scale * (top + side / 2 - aroundTop) - 0.5 - (c + d) * middle;
  const turned = blank(target, target, around.channels);
  for (let y = 0, to = 0; y < target; y++) {
    for (let x = 0; x < target; x++, to += around.channels) {
      sample(around, a * x + b * y + offsetX, c * x + d * y + offsetY, turned.data, to);
    }
  }
  return turned;
}

/**
 * One pixel between others, by linear interpolation; beyond the edge the edge is repeated.
 * @param {Picture} picture
 * @param {number} x
 * @param {number} y
 * @param {Uint8Array | Uint8ClampedArray} out
 * @param {number} to
 */
export function sample(picture, x, y, out, to) {
  const { data, width, height, channels } = picture;
  const [firstX, firstY] = [Math.floor(x), Math.floor(y)];
  const [shareX, shareY] = [x - firstX, y - firstY];
  const clipX = (/** @type {number} */ at) => Math.min(Math.max(at, 0), width - 1) * channels;
  const clipY = (/** @type {number} */ at) =>
    Math.min(Math.max(at, 0), height - 1) * width * channels;
  const [left, right] = [clipX(firstX), clipX(firstX + 1)];
  const [upper, lower] = [clipY(firstY), clipY(firstY + 1)];
  for (let c = 0; c < channels; c++) {
    const above = data[upper + left + c] * (1 - shareX) + data[upper + right + c] * shareX;
    const below = data[lower + left + c] * (1 - shareX) + data[lower + right + c] * shareX;
    out[to + c] = rint(above * (1 - shareY) + below * shareY);
  }
}

/**
 * Faces as the network takes them: float32 (n, height, width, channels), values 0..255.
 * @param {Picture[]} faces
 * @param {import("../types.mjs").Model} model
 * @returns {Float32Array}
 */
export function toInput(faces, model) {
  const { width_px: width, height_px: height, channels } = model;
  const input = new Float32Array(faces.length * width * height * channels);
  let to = 0;
  for (const face of faces) {
    let fitted = channels === 1 ? toGrey(face) : face;
    if (fitted.width !== width || fitted.height !== height) {
      const shrinks = fitted.width * fitted.height > width * height;
      fitted = (shrinks ? resizeArea : resizeLinear)(fitted, width, height);
    }
    for (let at = 0; at < fitted.data.length; at += fitted.channels) {
      for (let c = 0; c < channels; c++) input[to++] = fitted.data[at + c];
    }
  }
  return input;
}
