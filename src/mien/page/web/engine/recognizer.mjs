// @ts-check
/** Picture to faces, crops and expressions; mien/recognition/recognizer.py and video_recognizer.py. */

import { describe } from "./appearance.mjs";
import { cropFace, squareOf, toInput } from "./crop.mjs";
import { CutDetector } from "./cuts.mjs";
import { headPose } from "./pose.mjs";
import { lookedAtAgain } from "./second_look.mjs";
import { Smoother, largest } from "./smoothing.mjs";
import { Tracker } from "./tracks.mjs";
import { turnedBack, upright } from "./turning.mjs";
import { YuNet, inOrder } from "./yunet.mjs";

/** @typedef {import("./pixels.mjs").Picture} Picture */
/** @typedef {import("../types.mjs").Numbers} Numbers */
/** @typedef {import("../types.mjs").Result} Result */
/** @typedef {import("../types.mjs").Found} Found */
/** @typedef {import("../types.mjs").Run} Run */

export class Recognizer {
  /**
   * @param {Numbers} numbers
   * @param {{detector: Run, classifier: Run}} networks
   */
  constructor(numbers, networks) {
    this.numbers = numbers;
    this.classify = networks.classifier;
    this.detector = new YuNet(networks.detector, numbers.detector);
    this.side = numbers.video.live_side_px;
    this.tracker = new Tracker(numbers);
    this.smoother = new Smoother(numbers.smoothing);
    this.cuts = new CutDetector(numbers.cuts);
  }

  /**
   * Forgets all tracks, for the next video.
   * @param {number} side longest side of the pictures that are searched
   */
  restart(side) {
    this.side = side;
    this.tracker = new Tracker(this.numbers);
    this.smoother = new Smoother(this.numbers.smoothing);
    this.cuts = new CutDetector(this.numbers.cuts);
  }

  /**
   * @param {Picture} picture
   * @returns {Promise<Result>}
   */
  async photo(picture) {
    const { crop, second_look, turning } = this.numbers;
    const seen = await upright(picture, (one) => this.detector.inPhoto(one), turning);
    const pairs = seen.found.map((face) => ({ face, back: turnedBack(face, seen.turn, picture) }));
    pairs.sort((one, other) => inOrder(one.back, other.back));
    const rows = await this.probabilities(this.#crops(seen.picture, pairs.map(({ face }) => face)));
    const found = await lookedAtAgain(
      this.detector, picture, pairs.map(({ back }) => back), crop, second_look,
    );
    const result = this.#result(picture, found, (index) => ({
      track: null,
      ...this.#shown(rows[index], largest(rows[index])),
    }));
    return seen.turn ? { ...result, turned: seen.turn } : result;
  }

  /**
   * @param {Picture} picture
   * @param {number} time in seconds, later than the one before
   * @returns {Promise<Result>}
   */
  async frame(picture, time) {
    const found = await this.detector.inFrame(picture, this.side);
    const crops = this.#crops(picture, found);
    const rows = await this.probabilities(crops);
    if (this.cuts.isCut(picture)) this.tracker.endAll();
    const boxes = found.map((face) => face.box);
    const squares = boxes.map((box) => squareOf(box, this.numbers.crop));
    const size = /** @type {[number, number]} */ ([picture.width, picture.height]);
    const looks = describe(crops, squares, boxes, size, this.numbers.appearance);
    const tracks = this.tracker.update(boxes, looks, time);
    this.smoother.keep(this.tracker.alive);
    const result = this.#result(picture, found, (index) => {
      const smooth = this.smoother.smooth(tracks[index], rows[index], time);
      return {
        track: tracks[index],
        ...this.#shown(smooth.probabilities, smooth.held),
        raw_probabilities: this.#byKey(rows[index]),
      };
    });
    return { ...result, time_s: time };
  }

  /**
   * Classifies cropped faces; rows sum to 1.
   * @param {Picture[]} crops
   * @returns {Promise<number[][]>}
   */
  async probabilities(crops) {
    if (!crops.length) return [];
    const { model, labels } = this.numbers;
    const shape = [crops.length, model.height_px, model.width_px, model.channels];
    const [logits] = Object.values(await this.classify(toInput(crops, model), shape));
    return crops.map((_, index) => {
      const row = logits.slice(index * labels.length, (index + 1) * labels.length);
      return softmax(Array.from(row, (value) => value / model.temperature));
    });
  }

  /**
   * @param {Picture} picture
   * @param {Found[]} found
   */
  #crops(picture, found) {
    return found.map(({ box, landmarks }) => cropFace(picture, box, landmarks, this.numbers.crop));
  }

  /**
   * @param {Picture} picture
   * @param {Found[]} found
   * @param {(index: number) => Pick<import("../types.mjs").Face,
   *   "track" | "expression" | "confidence" | "probabilities" | "raw_probabilities">} shows
   * @returns {Result}
   */
  #result(picture, found, shows) {
    return {
      source: "",
      frame: 0,
      time_s: 0,
      width: picture.width,
      height: picture.height,
      detector: this.numbers.detector.name,
      faces: found.map(({ box, score, landmarks }, index) => ({
        box,
        detection_score: score,
        ...shows(index),
        ...this.#place(landmarks),
      })),
    };
  }

  /**
   * Where the landmarks are, and which way the face is turned.
   * @param {[number, number][]} landmarks
   */
  #place(landmarks) {
    const { names, ...pose } = this.numbers.pose;
    if (landmarks.length !== names.length) return {};
    const [[rightX, rightY], [leftX, leftY]] = landmarks;
    return {
      landmarks: Object.fromEntries(names.map((name, index) => [name, landmarks[index]])),
      interocular_px: Math.hypot(rightX - leftX, rightY - leftY),
      ...headPose(landmarks, pose),
    };
  }

  /**
   * @param {number[]} row
   * @param {number} index of the class that is shown
   */
  #shown(row, index) {
    const { key } = this.numbers.labels[index];
    return { expression: key, confidence: row[index], probabilities: this.#byKey(row) };
  }

  /** @param {number[]} row */
  #byKey(row) {
    return Object.fromEntries(this.numbers.labels.map(({ key }, index) => [key, row[index]]));
  }
}

/** @param {number[]} values */
function softmax(values) {
  const top = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - top));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}
