// @ts-check
/**
 * Pictures as arrays of bytes, and how they become larger, smaller, grey and cut out.
 *
 * The arithmetic is OpenCV's, as Python uses it: both must see the same pixels. Tests compare them.
 *
 * Source: https://github.com/opencv/opencv/blob/4.x/modules/imgproc/src/resize.cpp
 */

/**
 * @typedef {object} Picture
 * @property {Uint8Array | Uint8ClampedArray} data row by row; 4 bytes a pixel (RGBA) or 1 (grey)
 * @property {number} width
 * @property {number} height
 * @property {number} channels 4 or 1
 */

/**
 * @param {number} width
 * @param {number} height
 * @param {number} channels
 * @returns {Picture}
 */
export function blank(width, height, channels) {
  return { data: new Uint8Array(width * height * channels), width, height, channels };
}

/**
 * To the nearest whole number; halves go to the even one, as in Python and OpenCV.
 * @param {number} value
 */
export function rint(value) {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/**
 * Averages areas where the picture shrinks; `cv2.INTER_AREA`.
 * @param {Picture} picture
 * @param {number} width
 * @param {number} height
 * @returns {Picture}
 */
export function resizeArea(picture, width, height) {
  const scaleX = picture.width / width;
  const scaleY = picture.height / height;
  if (scaleX < 1 || scaleY < 1) return resizeLinear(picture, width, height);
  if (Number.isInteger(scaleX) && Number.isInteger(scaleY)) return whole(picture, scaleX, scaleY);
  return fractional(picture, width, height);
}

/**
 * Areas of whole pixels.
 * @param {Picture} picture
 * @param {number} stepX
 * @param {number} stepY
 * @returns {Picture}
 */
function whole(picture, stepX, stepY) {
  if (stepX === 2 && stepY === 2) return halved(picture);
  const { data, channels } = picture;
  const small = blank(picture.width / stepX, picture.height / stepY, channels);
  const out = small.data;
  const stride = picture.width * channels;
  const colours = Math.min(channels, 3);
  const area = stepX * stepY;
  let to = 0;
  for (let y = 0; y < small.height; y++) {
    for (let x = 0; x < small.width; x++) {
      const from = y * stepY * stride + x * stepX * channels;
      for (let c = 0; c < colours; c++) {
        let sum = 0;
        for (let row = 0; row < stepY; row++) {
          let at = from + row * stride + c;
          for (let column = 0; column < stepX; column++, at += channels) sum += data[at];
        }
        out[to + c] = rint(sum / area);
      }
      if (channels === 4) out[to + 3] = 255;
      to += channels;
    }
  }
  return small;
}

/**
 * Areas of two by two pixels, which OpenCV rounds in its own way.
 * @param {Picture} picture
 * @returns {Picture}
 */
function halved(picture) {
  const { data, channels } = picture;
  const small = blank(picture.width / 2, picture.height / 2, channels);
  const out = small.data;
  const stride = picture.width * channels;
  for (let y = 0, to = 0, at = 0; y < small.height; y++, at += stride) {
    for (let x = 0; x < small.width; x++, at += channels) {
      for (const end = at + channels; at < end; at++, to++) {
        const sum = data[at] + data[at + channels] + data[at + stride] + data[at + stride + channels];
        out[to] = (sum + 2) >> 2;
      }
    }
  }
  return small;
}

/**
 * Which pixels of a line fall into each pixel of a shorter one, and with which weight.
 * @param {number} from
 * @param {number} to
 */
function shares(from, to) {
  const scale = from / to;
  const targets = [];
  const sources = [];
  const weights = [];
  for (let target = 0; target < to; target++) {
    const begin = target * scale;
    const end = Math.min(begin + scale, from);
    const cell = Math.min(scale, from - begin);
    const first = Math.ceil(begin);
    const last = Math.floor(Math.min(end, from - 1));
    const start = Math.min(first, last);
    if (start - begin > 1e-3) {
      targets.push(target);
      sources.push(start - 1);
      weights.push((start - begin) / cell);
    }
    for (let source = start; source < last; source++) {
      targets.push(target);
      sources.push(source);
      weights.push(1 / cell);
    }
    if (end - last > 1e-3) {
      targets.push(target);
      sources.push(last);
      weights.push(Math.min(end - last, 1, cell) / cell);
    }
  }
  return { targets: Int32Array.from(targets), sources: Int32Array.from(sources), weights };
}

/**
 * Areas of parts of pixels.
 * @param {Picture} picture
 * @param {number} width
 * @param {number} height
 * @returns {Picture}
 */
function fractional(picture, width, height) {
  const { data, channels } = picture;
  const small = blank(width, height, channels);
  const columns = shares(picture.width, width);
  const rows = shares(picture.height, height);
  const line = new Float32Array(width * channels);
  const sums = new Float32Array(width * channels);
  const stride = picture.width * channels;
  const { targets, sources } = columns;
  const weights = Float32Array.from(columns.weights);
  let row = 0;
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (; row < rows.targets.length && rows.targets[row] === y; row++) {
      const base = rows.sources[row] * stride;
      const share = Math.fround(rows.weights[row]);
      line.fill(0);
      if (channels === 1) {
        for (let k = 0; k < targets.length; k++) {
          line[targets[k]] += data[base + sources[k]] * weights[k];
        }
      } else {
        for (let k = 0; k < targets.length; k++) {
          const to = targets[k] * 4;
          const at = base + sources[k] * 4;
          const weight = weights[k];
          line[to] += data[at] * weight;
          line[to + 1] += data[at + 1] * weight;
          line[to + 2] += data[at + 2] * weight;
        }
      }
      for (let k = 0; k < line.length; k++) sums[k] += share * line[k];
    }
    const to = y * width * channels;
    for (let k = 0; k < sums.length; k++) small.data[to + k] = Math.min(255, rint(sums[k]));
    if (channels === 4) {
      for (let k = 3; k < sums.length; k += 4) small.data[to + k] = 255;
    }
  }
  return small;
}

const ONE = 2048; // 11 bits after the point

/**
 * Interpolates in fixed-point numbers; `cv2.INTER_LINEAR` of bytes.
 * @param {Picture} picture
 * @param {number} width
 * @param {number} height
 * @returns {Picture}
 */
export function resizeLinear(picture, width, height) {
  const { data, channels } = picture;
  const scaleX = picture.width / width;
  const scaleY = picture.height / height;
  if (scaleX === 2 && scaleY === 2) return whole(picture, 2, 2);
  const result = blank(width, height, channels);
  const colours = Math.min(channels, 3);
  const left = new Int32Array(width);
  const right = new Int32Array(width);
  const share = new Int32Array(width);
  for (let x = 0; x < width; x++) {
    let at = Math.fround((x + 0.5) * scaleX - 0.5);
    let first = Math.floor(at);
    at -= first;
    if (first < 0) [first, at] = [0, 0];
    if (first >= picture.width - 1) [first, at] = [picture.width - 1, 0];
    left[x] = first * channels;
    right[x] = Math.min(first + 1, picture.width - 1) * channels;
    share[x] = rint(at * ONE);
  }
  const stride = picture.width * channels;
  // The two lines between which rows are interpolated, and which rows they are of.
  const kept = [new Int32Array(width * channels), new Int32Array(width * channels)];
  const rows = [-1, -1];
  /**
   * @param {number} row
   * @param {number} other a row that must be kept
   */
  const across = (row, other) => {
    const known = rows.indexOf(row);
    if (known >= 0) return kept[known];
    const place = rows[0] === other ? 1 : 0;
    const line = kept[place];
    const base = row * stride;
    for (let x = 0, to = 0; x < width; x++, to += channels) {
      const weight = share[x];
      const rest = ONE - weight;
      const first = base + left[x];
      const second = base + right[x];
      for (let c = 0; c < colours; c++) {
        line[to + c] = data[first + c] * rest + data[second + c] * weight;
      }
    }
    rows[place] = row;
    return line;
  };
  for (let y = 0; y < height; y++) {
    let at = Math.fround((y + 0.5) * scaleY - 0.5);
    const first = Math.floor(at);
    at -= first;
    const low = rint(at * ONE);
    const high = ONE - low;
    const clip = (/** @type {number} */ row) => Math.min(Math.max(row, 0), picture.height - 1);
    const upper = across(clip(first), clip(first + 1));
    const lower = across(clip(first + 1), clip(first));
    const to = y * width * channels;
    for (let k = 0; k < upper.length; k++) {
      const above = ((upper[k] >> 4) * high) >> 16;
      const below = ((lower[k] >> 4) * low) >> 16;
      result.data[to + k] = (above + below + 2) >> 2;
    }
    if (channels === 4) {
      for (let k = 3; k < upper.length; k += 4) result.data[to + k] = 255;
    }
  }
  return result;
}

/**
 * A picture at another size, and by how much its coordinates were multiplied.
 * @param {Picture} picture
 * @param {number} longest what its longest side becomes
 * @returns {[Picture, number]}
 */
export function resizedTo(picture, longest) {
  const scale = longest / Math.max(picture.width, picture.height);
  if (scale === 1) return [picture, 1];
  const [width, height] = sizeAt(picture, scale);
  const resize = scale < 1 ? resizeArea : resizeLinear;
  return [resize(picture, width, height), scale];
}

/**
 * A picture at no more than this size, quickly: for detection in video.
 * @param {Picture} picture
 * @param {number} longest
 * @returns {Picture}
 */
export function reducedTo(picture, longest) {
  const scale = longest / Math.max(picture.width, picture.height);
  if (scale >= 1) return picture;
  const [width, height] = sizeAt(picture, scale);
  const near = scale < 0.5 ? resizeLinear(picture, 2 * width, 2 * height) : picture;
  return resizeArea(near, width, height);
}

/**
 * @param {Picture} picture
 * @param {number} scale
 */
function sizeAt(picture, scale) {
  return [
    Math.max(1, rint(picture.width * scale)),
    Math.max(1, rint(picture.height * scale)),
  ];
}

/**
 * Grey, ITU-R 601 luma.
 * @param {Picture} picture
 * @returns {Picture}
 */
export function toGrey(picture) {
  if (picture.channels === 1) return picture;
  const grey = blank(picture.width, picture.height, 1);
  const { data } = picture;
  for (let at = 0, to = 0; to < grey.data.length; at += 4, to++) {
    grey.data[to] = (data[at] * 9798 + data[at + 1] * 19235 + data[at + 2] * 3735 + 16384) >> 15;
  }
  return grey;
}

/**
 * Mean over every so many-th pixel, as small pictures are made quickly.
 * @param {Picture} picture
 * @param {number} stepX
 * @param {number} stepY
 * @returns {Picture}
 */
export function everySoMany(picture, stepX, stepY) {
  if (stepX === 1 && stepY === 1) return picture;
  const { channels } = picture;
  const width = Math.ceil(picture.width / stepX);
  const height = Math.ceil(picture.height / stepY);
  const sparse = blank(width, height, channels);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * stepY * picture.width + x * stepX) * channels;
      for (let c = 0; c < channels; c++) sparse.data[to++] = picture.data[at + c];
    }
  }
  return sparse;
}
