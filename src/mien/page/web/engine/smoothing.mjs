// @ts-check
/** Probabilities smoothed over time, and a label that does not flicker; mien/recognition/smoothing.py. */

/**
 * @typedef {object} State
 * @property {number[]} probabilities
 * @property {number} held index of the class that is shown
 * @property {number} time
 * @property {number} leader
 * @property {number} ledSince
 */

export class Smoother {
  /** @param {import("../types.mjs").Numbers["smoothing"]} numbers */
  constructor(numbers) {
    this.numbers = numbers;
    /** @type {Map<number, State>} */
    this.states = new Map();
  }

  /**
   * @param {number} track
   * @param {number[]} row probabilities of this frame
   * @param {number} time in seconds
   * @returns {{probabilities: number[], held: number}}
   */
  smooth(track, row, time) {
    const { half_life_s: halfLife, margin, patience_s: patience } = this.numbers;
    let state = this.states.get(track);
    if (!state) {
      const first = largest(row);
      state = { probabilities: [...row], held: first, time, leader: first, ledSince: time };
      this.states.set(track, state);
    } else {
      const weight = 1 - 0.5 ** ((time - state.time) / halfLife);
      const { probabilities } = state;
      row.forEach((value, index) => {
        probabilities[index] += weight * (value - probabilities[index]);
      });
      state.time = time;
      const leader = largest(probabilities);
      if (leader !== state.leader) [state.leader, state.ledSince] = [leader, time];
      const lead = probabilities[leader] - probabilities[state.held];
      if (lead > margin || time - state.ledSince >= patience) state.held = leader;
    }
    return { probabilities: [...state.probabilities], held: state.held };
  }

  /**
   * Forgets all tracks but these.
   * @param {Set<number>} tracks
   */
  keep(tracks) {
    for (const track of this.states.keys()) if (!tracks.has(track)) this.states.delete(track);
  }
}

/**
 * Index of the largest value; the first one on a tie.
 * @param {number[]} values
 */
export function largest(values) {
  let at = 0;
  values.forEach((value, index) => {
    if (value > values[at]) at = index;
  });
  return at;
}
