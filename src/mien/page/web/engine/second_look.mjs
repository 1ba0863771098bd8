// @ts-check
/** A second look at tilted faces of photos; mien/recognition/detectors/second_look.py. */

import { sample, turnOf } from "./crop.mjs";
import { blank } from "./pixels.mjs";

/** @typedef {import("./pixels.mjs").Picture} Picture */
/** @typedef {import("../types.mjs").Crop} Crop */
/** @typedef {import("../types.mjs").Found} Found */
/** @typedef {import("../types.mjs").SecondLook} Numbers */
/** @typedef {import("./yunet.mjs").YuNet} YuNet */
/** @typedef {[number, number]} Point */

/**
 * Faces with better landmarks where they are tilted; boxes and scores stay.
 * @param {YuNet} detector
 * @param {Picture} picture
 * @param {Found[]} faces
 * @param {Crop} crop where the landmarks of an upright face lie
 * @param {Numbers} numbers
 * @returns {Promise<Found[]>}
 */
export async function lookedAtAgain(detector, picture, faces, crop, numbers) {
  const seen = [...faces];
  const widest = [...seen.keys()].sort((one, other) => seen[other].box[2] - seen[one].box[2]);
  for (const at of widest.slice(0, numbers.most_faces)) {
    let turn = turnOf(seen[at].landmarks, crop, 0);
    for (let looks = 0; looks < numbers.most_looks; looks++) {
      if (Math.abs(turn) < numbers.look_from_deg) break;
      const landmarks = await look(detector, picture, seen[at], turn, numbers);
      if (!landmarks) break;
      const before = turn;
      seen[at] = { ...seen[at], landmarks };
      turn = turnOf(landmarks, crop, 0);
      if (Math.abs(turn - before) < numbers.straight_deg) break;
    }
  }
  return seen;
}

/**
 * Landmarks of one face that is cut out large and turned upright.
 * @param {YuNet} detector
 * @param {Picture} picture
 * @param {Found} face
 * @param {number} turn in degrees, clockwise
 * @param {Numbers} numbers
 * @returns {Promise<Point[] | null>} null where it is not found again
 */
async function look(detector, picture, face, turn, numbers) {
  const side = numbers.side_px;
  const wanted = numbers.face_share * side;
  const scale = wanted / face.box[2];
  const middle = middleOf(face.landmarks);
  const angle = (turn * Math.PI) / 180;
  // From the square to the picture.
  const [cosine, sine] = [Math.cos(angle) / scale, Math.sin(angle) / scale];
  const back = (/** @type {number} */ x, /** @type {number} */ y) => {
    const [dx, dy] = [x - side / 2, y - side / 2];
    return /** @type {Point} */ ([
      middle[0] + cosine * dx - sine * dy,
      middle[1] + sine * dx + cosine * dy,
    ]);
  };
  const square = blank(side, side, picture.channels);
  for (let y = 0, to = 0; y < side; y++) {
    for (let x = 0; x < side; x++, to += picture.channels) {
      sample(picture, ...back(x, y), square.data, to);
    }
  }
  const found = (await detector.inSquare(square, numbers.threshold)).map((row) => ({
    ...row,
    away: Math.hypot(...middleOf(row.landmarks).map((value) => value - side / 2)),
  }));
  if (!found.length) return null;
  const best = found.reduce((one, other) => (other.away < one.away ? other : one));
  const ratio = best.width / wanted;
  if (best.away > numbers.farthest * side || !(0.5 < ratio && ratio < 2)) return null;
  return best.landmarks.map(([x, y]) => back(x, y));
}

/**
 * @param {Point[]} points
 * @returns {Point}
 */
function middleOf(points) {
  let [x, y] = [0, 0];
  for (const point of points) {
    x += point[0] / points.length;
    y += point[1] / points.length;
  }
  return [x, y];
}
