// @ts-check
/**
 * YuNet: from a picture to faces; mien/recognition/detectors/yunet.py, yunet_network.py and, for
 * the channels of its outputs, yunet_file.py.
 */

import { reducedTo, resizedTo } from "./pixels.mjs";

/** @typedef {import("./pixels.mjs").Picture} Picture */
/** @typedef {import("../types.mjs").Detector} DetectorNumbers */
/** @typedef {import("../types.mjs").Run} Run */
/** @typedef {import("../types.mjs").Found} Found */
/** @typedef {number[]} Row left, top, width, height, ten coordinates of landmarks, score */

const CHANNELS = 16;
const BOX = 2;
const FIRST_POINT = 6;
const POINTS = 10;
const SCORE = 14;

export class YuNet {
  /**
   * @param {Run} run runs the network
   * @param {DetectorNumbers} numbers
   */
  constructor(run, numbers) {
    this.run = run;
    this.numbers = numbers;
  }

  /**
   * Searches a photo twice: for small faces, and again for large ones.
   * @param {Picture} picture
   * @returns {Promise<Found[]>}
   */
  async inPhoto(picture) {
    const numbers = this.numbers;
    const longest = Math.max(picture.width, picture.height);
    const fine = Math.min(Math.max(longest, numbers.enlarged_side_px), numbers.longest_side_px);
    const coarse = Math.min(Math.max(longest, numbers.smallest_side_px), numbers.coarse_side_px);
    const fineRows = await this.#search(picture, fine, numbers.threshold);
    if (fine <= coarse) return this.#found(fineRows, picture);
    const coarseRows = await this.#search(picture, coarse, numbers.threshold);
    const all = [...fineRows, ...coarseRows];
    const rows = suppressed(all, all, 0, numbers);
    const parts = areParts(rows, coarseRows, fine / longest, coarse / longest, numbers);
    return this.#found(rows.filter((_, index) => !parts[index]), picture);
  }

  /**
   * Searches a frame of a video once, reduced to at most a longest side.
   * @param {Picture} picture
   * @param {number} side
   * @returns {Promise<Found[]>}
   */
  async inFrame(picture, side) {
    const numbers = this.numbers;
    const reduced = reducedTo(picture, side);
    const longest = Math.max(reduced.width, reduced.height);
    const wanted = Math.min(Math.max(longest, numbers.smallest_side_px), side);
    const rows = await this.#search(reduced, wanted, numbers.video_threshold);
    const back = Math.max(picture.width, picture.height) / longest;
    return this.#found(scaled(rows, back), picture);
  }

  /**
   * Searches a square as it is; boxes may reach beyond it.
   * @param {Picture} square
   * @param {number} threshold
   * @returns {Promise<{width: number, landmarks: [number, number][]}[]>}
   */
  async inSquare(square, threshold) {
    const rows = await this.#find(square, threshold);
    return rows.map((row) => ({ width: row[2], landmarks: landmarksOf(row) }));
  }

  /**
   * @param {Picture} picture
   * @param {number} longest
   * @param {number} threshold
   * @returns {Promise<Row[]>}
   */
  async #search(picture, longest, threshold) {
    const [resized, scale] = resizedTo(picture, longest);
    const rows = await this.#find(resized, threshold);
    return scaled(rows, 1 / scale);
  }

  /**
   * @param {Picture} picture
   * @param {number} threshold
   * @returns {Promise<Row[]>}
   */
  async #find(picture, threshold) {
    const numbers = this.numbers;
    const multiple = numbers.multiple_px;
    const width = Math.ceil(picture.width / multiple) * multiple;
    const height = Math.ceil(picture.height / multiple) * multiple;
    const outputs = await this.run(planes(picture, width, height), [1, 3, height, width]);
    /** @type {Row[]} */
    const rows = [];
    for (const stride of numbers.strides_px) {
      candidates(outputs[`level_${stride}`], stride, width / stride, threshold, rows);
    }
    if (rows.length < 2) return rows;
    // OpenCV compares boxes in whole pixels.
    return suppressed(rows, rows.map((row) => row.slice(0, 4).map(Math.trunc)), threshold, numbers);
  }

  /**
   * @param {Row[]} rows
   * @param {Picture} picture
   * @returns {Found[]}
   */
  #found(rows, picture) {
    const found = [];
    for (const row of rows) {
      const box = clipped(row, picture);
      if (!box || row[2] < this.numbers.minimum_side_px) continue;
      found.push({ box, score: Math.min(1, Math.max(0, row[SCORE])), landmarks: landmarksOf(row) });
    }
    return found.sort(inOrder);
  }
}

/** @param {Row} row */
function landmarksOf(row) {
  /** @type {[number, number][]} */
  const landmarks = [];
  for (let k = 4; k < 4 + POINTS; k += 2) landmarks.push([row[k], row[k + 1]]);
  return landmarks;
}

/**
 * The picture as (3, H, W) BGR, with black to the right and below.
 * @param {Picture} picture
 * @param {number} width
 * @param {number} height
 */
function planes(picture, width, height) {
  const input = new Float32Array(3 * width * height);
  const size = width * height;
  for (let y = 0, at = 0; y < picture.height; y++) {
    for (let to = y * width, end = to + picture.width; to < end; to++, at += 4) {
      input[to] = picture.data[at + 2];
      input[size + to] = picture.data[at + 1];
      input[2 * size + to] = picture.data[at];
    }
  }
  return input;
}

/**
 * @param {Float32Array} level (channels, rows, columns)
 * @param {number} stride
 * @param {number} columns
 * @param {number} threshold
 * @param {Row[]} rows
 */
function candidates(level, stride, columns, threshold, rows) {
  const places = level.length / CHANNELS;
  for (let place = 0; place < places; place++) {
    const score = Math.sqrt(sigmoid(level[place]) * sigmoid(level[places + place]));
    if (score < threshold) continue;
    const [atX, atY] = [place % columns, Math.floor(place / columns)];
    const value = (/** @type {number} */ channel) => level[channel * places + place];
    const width = Math.exp(value(BOX + 2)) * stride;
    const height = Math.exp(value(BOX + 3)) * stride;
    const row = [
      (atX + value(BOX)) * stride - width / 2,
      (atY + value(BOX + 1)) * stride - height / 2,
      width,
      height,
    ];
    for (let k = FIRST_POINT; k < FIRST_POINT + POINTS; k += 2) {
      row.push((atX + value(k)) * stride);
      row.push((atY + value(k + 1)) * stride);
    }
    row.push(score);
    rows.push(row);
  }
}

/** @param {number} value */
function sigmoid(value) {
  return 1 / (1 + Math.exp(-value));
}

/**
 * @param {Row[]} rows
 * @param {number} factor
 */
function scaled(rows, factor) {
  return rows.map((row) => row.map((value, index) => (index < SCORE ? value * factor : value)));
}

/**
 * Faces without those whose boxes nearly repeat that of a more certain one.
 * @param {Row[]} rows
 * @param {number[][]} boxes to be compared
 * @param {number} threshold
 * @param {DetectorNumbers} numbers
 */
function suppressed(rows, boxes, threshold, numbers) {
  const order = [...rows.keys()]
    .filter((index) => rows[index][SCORE] > threshold)
    .sort((one, other) => rows[other][SCORE] - rows[one][SCORE])
    .slice(0, numbers.most_candidates);
  /** @type {number[]} */
  const kept = [];
  for (const index of order) {
    const repeats = kept.some((other) => {
      const common = shared(boxes[index], boxes[other]);
      const union = areaOf(boxes[index]) + areaOf(boxes[other]) - common;
      return common > numbers.nms_iou * union;
    });
    if (!repeats) kept.push(index);
  }
  return kept.map((index) => rows[index]);
}

/**
 * Which boxes show a part of a larger face, as an eye and a cheek.
 * @param {Row[]} rows
 * @param {Row[]} coarseRows
 * @param {number} fineScale
 * @param {number} coarseScale
 * @param {DetectorNumbers} numbers
 */
function areParts(rows, coarseRows, fineScale, coarseScale, numbers) {
  return rows.map((row) => {
    const inside = rows.some(
      (other) =>
        shared(row, other) >= numbers.part * areaOf(row) &&
        areaOf(other) > areaOf(row) &&
        other[SCORE] > row[SCORE] &&
        other[2] * fineScale > numbers.large_px,
    );
    if (!inside) return false;
    const isFace = coarseRows.some((other) => {
      const common = shared(row, other);
      return common > numbers.same_face_iou * (areaOf(row) + areaOf(other) - common);
    });
    const isSmall =
      row[2] * coarseScale < numbers.smallest_face_px && row[SCORE] >= numbers.video_threshold;
    return !isFace && !isSmall;
  });
}

/** @param {number[]} box */
function areaOf(box) {
  return box[2] * box[3];
}

/**
 * @param {number[]} one
 * @param {number[]} other
 */
function shared(one, other) {
  const width = Math.min(one[0] + one[2], other[0] + other[2]) - Math.max(one[0], other[0]);
  const height = Math.min(one[1] + one[3], other[1] + other[3]) - Math.max(one[1], other[1]);
  return Math.max(width, 0) * Math.max(height, 0);
}

/**
 * The part of a box inside the picture; null where its centre lies outside.
 * @param {Row} row
 * @param {Picture} picture
 * @returns {[number, number, number, number] | null}
 */
function clipped(row, picture) {
  const [x, y, width, height] = row;
  const [middleX, middleY] = [x + width / 2, y + height / 2];
  const isOutside =
    middleX < 0 || middleX > picture.width || middleY < 0 || middleY > picture.height;
  if (isOutside) return null;
  const [left, top] = [Math.max(0, x), Math.max(0, y)];
  const right = Math.min(x + width, picture.width);
  const below = Math.min(y + height, picture.height);
  return right > left && below > top ? [left, top, right - left, below - top] : null;
}

/**
 * In reading order: from left to right, then from above.
 * @param {Found} one
 * @param {Found} other
 */
export function inOrder({ box: one }, { box: other }) {
  for (let k = 0; k < 4; k++) if (one[k] !== other[k]) return one[k] - other[k];
  return 0;
}
