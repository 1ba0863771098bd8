// @ts-check
/** What was seen, for downloads: the rows and members of `mien recognize`. */

/** @typedef {import("./types.mjs").Numbers} Numbers */
/** @typedef {import("./types.mjs").Result} Result */
/** @typedef {import("./types.mjs").Face} Face */

/** Frames that are kept; beyond them the oldest ones go. A quarter of an hour at 22 a second. */
export const MOST_FRAMES = 20_000;

const PIXEL_DIGITS = 2;
const DIGITS = 7;
const TIME_DIGITS = 6;

export class Seen {
  constructor() {
    /** @type {Result[]} */
    this.results = [];
    this.lost = 0;
  }

  /** @param {Result} result */
  add(result) {
    this.results.push(result);
    if (this.results.length > 1.1 * MOST_FRAMES) {
      this.lost += this.results.length - MOST_FRAMES;
      this.results = this.results.slice(-MOST_FRAMES);
    }
  }

  clear() {
    this.results = [];
    this.lost = 0;
  }
}

/**
 * @param {Result[]} results
 * @param {Numbers} numbers
 * @returns {Blob}
 */
export function asJson(results, numbers) {
  const rows = results.map((result) => ({
    ...result,
    time_s: rounded(result.time_s, TIME_DIGITS),
    faces: result.faces.map(roundedFace),
  }));
  const whole = { results: rows, model: numbers.model.name, mien: numbers.mien };
  return new Blob([JSON.stringify(whole)], { type: "application/json" });
}

/**
 * @param {Result[]} results
 * @param {Numbers} numbers
 * @param {boolean} isVideo whether there are tracks, and probabilities of the frame alone
 * @returns {Blob}
 */
export function asCsv(results, numbers, isVideo) {
  const columns = isVideo ? numbers.video_columns : numbers.photo_columns;
  const lines = [columns];
  for (const result of results) {
    result.faces.forEach((found, index) => {
      const face = roundedFace(found);
      /** @type {Record<string, unknown>} */
      const cells = {
        source: result.source,
        frame: result.frame,
        time_s: rounded(result.time_s, TIME_DIGITS),
        face: index,
        x: face.box[0],
        y: face.box[1],
        w: face.box[2],
        h: face.box[3],
        detection_score: face.detection_score,
        track: face.track,
        expression: face.expression,
        confidence: face.confidence,
      };
      for (const { key } of numbers.labels) {
        cells[`p_${key}`] = face.probabilities[key];
        cells[`raw_p_${key}`] = face.raw_probabilities?.[key];
      }
      for (const [name, [x, y]] of Object.entries(face.landmarks ?? {})) {
        cells[`${name}_x`] = x;
        cells[`${name}_y`] = y;
      }
      const { interocular_px, roll_deg, yaw_deg, pitch_deg } = face;
      Object.assign(cells, { interocular_px, roll_deg, yaw_deg, pitch_deg });
      lines.push(columns.map((column) => cell(cells[column])));
    });
  }
  const text = lines.map((line) => `${line.join(",")}\n`).join("");
  return new Blob([text], { type: "text/csv;charset=utf-8" });
}

/** @param {unknown} value */
function cell(value) {
  const text = value === null || value === undefined ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * @param {Face} face
 * @returns {Face}
 */
function roundedFace(face) {
  const box = face.box.map(short);
  return {
    ...face,
    ...roundedPlace(face),
    box: /** @type {[number, number, number, number]} */ (box),
    detection_score: rounded(face.detection_score, DIGITS),
    confidence: rounded(face.confidence, DIGITS),
    probabilities: roundedAll(face.probabilities),
    ...(face.raw_probabilities ? { raw_probabilities: roundedAll(face.raw_probabilities) } : {}),
  };
}

/**
 * Pixels and degrees.
 * @param {Face} face
 * @returns {Partial<Face>}
 */
function roundedPlace({ landmarks, interocular_px, roll_deg, yaw_deg, pitch_deg }) {
  const values = Object.entries({ interocular_px, roll_deg, yaw_deg, pitch_deg }).flatMap(
    ([key, value]) => (value === undefined ? [] : [[key, short(value)]]),
  );
  const points = Object.entries(landmarks ?? {}).map(([name, point]) => [name, point.map(short)]);
  return {
    ...(landmarks ? { landmarks: Object.fromEntries(points) } : {}),
    ...Object.fromEntries(values),
  };
}

/** @param {number} value */
function short(value) {
  return rounded(value, PIXEL_DIGITS);
}

/** @param {Record<string, number>} values */
function roundedAll(values) {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, rounded(value, DIGITS)]),
  );
}

/**
 * @param {number} value
 * @param {number} digits
 */
function rounded(value, digits) {
  return Number(value.toFixed(digits));
}
