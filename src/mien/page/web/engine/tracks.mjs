// @ts-check
/** Who is who from frame to frame; mien/recognition/tracks.py. */

import { distance, mixed } from "./appearance.mjs";
import { cheapestPairs } from "./assignment.mjs";

/** @typedef {import("../types.mjs").Numbers} Numbers */
/** @typedef {import("./appearance.mjs").Appearance} Appearance */
/**
 * @typedef {object} Track
 * @property {number} number
 * @property {[number, number]} centre
 * @property {[number, number]} velocity
 * @property {number} width
 * @property {Appearance} looks
 * @property {number} seen
 */

export class Tracker {
  /** @param {Pick<Numbers, "tracks" | "appearance">} numbers */
  constructor(numbers) {
    this.numbers = numbers;
    this.last = 0;
    /** @type {Track[]} */
    this.tracks = [];
    /** @type {number | null} */
    this.lastTime = null;
    /** @type {number[]} */
    this.intervals = [];
    // Time as the tracks know it, which slow frames do not hurry on.
    this.now = 0;
  }

  /** Numbers of the tracks that have not ended. */
  get alive() {
    return new Set(this.tracks.map((track) => track.number));
  }

  /** As a cut does. */
  endAll() {
    this.tracks = [];
  }

  /**
   * Takes the faces of the next frame; gives the number of each.
   * @param {[number, number, number, number][]} boxes
   * @param {Appearance[]} appearances
   * @param {number} time in seconds, later than the one before
   * @returns {number[]}
   */
  update(boxes, appearances, time) {
    const numbers = this.numbers.tracks;
    const now = this.#tick(time);
    this.tracks = this.tracks.filter((track) => now - track.seen <= numbers.max_gap_s);
    const faces = boxes.map(([x, y, width, height], index) => ({
      number: 0,
      centre: /** @type {[number, number]} */ ([x + width / 2, y + height / 2]),
      velocity: /** @type {[number, number]} */ ([0, 0]),
      width,
      looks: appearances[index],
      seen: now,
    }));
    const costs = this.tracks.map((track) => faces.map((face) => this.#cost(track, face, now)));
    const pairs = cheapestPairs(costs).filter(([row, at]) => costs[row][at] < numbers.most_cost);
    for (const [row, at] of pairs) faces[at].number = this.tracks[row].number;
    for (const face of faces) {
      if (!face.number) {
        face.number = ++this.last;
        this.tracks.push(face);
      }
    }
    for (const [row, at] of pairs) this.tracks[row] = this.#continued(this.tracks[row], faces[at]);
    return faces.map((face) => face.number);
  }

  /** @param {number} time */
  #tick(time) {
    const numbers = this.numbers.tracks;
    if (this.lastTime !== null) {
      const interval = time - this.lastTime;
      this.intervals.push(interval);
      if (this.intervals.length > numbers.n_intervals) this.intervals.shift();
      const sorted = [...this.intervals].sort((one, other) => one - other);
      const median = sorted[Math.floor((sorted.length - 1) / 2)];
      this.now += interval * Math.min(1, numbers.longest_frame_s / median);
    }
    this.lastTime = time;
    return this.now;
  }

  /**
   * @param {Track} track
   * @param {Track} face
   * @param {number} now
   */
  #cost(track, face, now) {
    const numbers = this.numbers.tracks;
    const gap = now - track.seen;
    const coasted = numbers.coasting_s * -Math.expm1(-gap / numbers.coasting_s);
    const offX = track.centre[0] + track.velocity[0] * coasted - face.centre[0];
    const offY = track.centre[1] + track.velocity[1] * coasted - face.centre[1];
    const place = (offX * offX + offY * offY) / (track.width * face.width);
    const ratio = Math.log(track.width) - Math.log(face.width);
    const far = distance(track.looks, face.looks, this.numbers.appearance) / numbers.appearance;
    const looks =
      gap <= numbers.in_view_s ? Math.min(far ** 2, numbers.appearance_at_most) : far ** 2;
    const cost =
      place / (numbers.place[0] + numbers.place[1] * gap) ** 2 +
      (ratio / (numbers.size_ratio[0] + numbers.size_ratio[1] * gap)) ** 2 +
      looks +
      numbers.waiting_cost * gap;
    return Math.min(cost, numbers.most_cost);
  }

  /**
   * A track with its new sighting.
   * @param {Track} track
   * @param {Track} face
   * @returns {Track}
   */
  #continued(track, face) {
    const numbers = this.numbers.tracks;
    const gap = face.seen - track.seen;
    const weight = 1 - 0.5 ** (gap / numbers.velocity_half_life_s);
    const moved = (/** @type {0 | 1} */ axis) =>
      track.velocity[axis] +
      weight * ((face.centre[axis] - track.centre[axis]) / gap - track.velocity[axis]);
    const looks = 1 - 0.5 ** (gap / numbers.appearance_half_life_s);
    return {
      ...face,
      velocity: [moved(0), moved(1)],
      looks: mixed(track.looks, face.looks, looks),
    };
  }
}
