// Computes with the page's modules what a test asks for: node compute.mjs FOLDER < cases.json

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const folder = pathToFileURL(`${process.argv[2]}/`);
const load = (name) => import(new URL(name, folder));
const pixels = await load("pixels.mjs");
const crop = await load("crop.mjs");
const { describe } = await load("appearance.mjs");
const { cheapestPairs } = await load("assignment.mjs");
const { CutDetector } = await load("cuts.mjs");
const { headPose } = await load("pose.mjs");
const { lookedAtAgain } = await load("second_look.mjs");
const { Smoother } = await load("smoothing.mjs");
const { Tracker } = await load("tracks.mjs");
const { turned, turnedBack, upright } = await load("turning.mjs");
const { placeTag } = await load("../placing.mjs");

const unpacked = ({ data, width, height, channels }) => ({
  data: Uint8Array.from(Buffer.from(data, "base64")),
  width,
  height,
  channels,
});
const packed = (picture) => ({
  ...picture,
  data: Buffer.from(picture.data).toString("base64"),
});

/** A detector that says what a test told it, call by call, and keeps what it was shown. */
class Told {
  constructor(answers) {
    this.answers = answers;
    this.shown = [];
  }

  async inSquare(square) {
    this.shown.push(packed(square));
    return this.answers[this.shown.length - 1];
  }
}

const kinds = {
  area: (one) => packed(pixels.resizeArea(unpacked(one.picture), one.width, one.height)),
  linear: (one) => packed(pixels.resizeLinear(unpacked(one.picture), one.width, one.height)),
  reduced: (one) => packed(pixels.reducedTo(unpacked(one.picture), one.longest)),
  grey: (one) => packed(pixels.toGrey(unpacked(one.picture))),
  crop: (one) => {
    const face = crop.cropFace(unpacked(one.picture), one.box, one.landmarks, one.crop);
    return { face: packed(face), input: Array.from(crop.toInput([face], one.model)) };
  },
  pairs: (one) => cheapestPairs(one.costs),
  cuts: (one) => {
    const detector = new CutDetector(one.numbers);
    return one.frames.map((frame) => detector.isCut(unpacked(frame)));
  },
  looks: (one) =>
    describe(one.crops.map(unpacked), one.squares, one.boxes, one.frame, one.numbers).map(
      ({ colours, weights }) => ({ colours: Array.from(colours), weights: Array.from(weights) }),
    ),
  tracks: (one) => {
    const tracker = new Tracker(one.numbers);
    return one.frames.map(({ boxes, looks, time }) => tracker.update(boxes, looks, time));
  },
  smoothing: (one) => {
    const smoother = new Smoother(one.numbers);
    return one.rows.map(({ row, time, track }) => smoother.smooth(track, row, time));
  },
  poses: (one) => one.faces.map((landmarks) => headPose(landmarks, one.numbers)),
  turned: (one) => packed(turned(unpacked(one.picture), one.turn)),
  upright: async (one) => {
    const picture = unpacked(one.picture);
    let calls = 0;
    const best = await upright(picture, async () => one.found[calls++], one.numbers);
    return {
      calls,
      turn: best.turn,
      faces: best.found.map((face) => turnedBack(face, best.turn, picture)),
    };
  },
  again: async (one) => {
    const detector = new Told(one.answers);
    const faces = await lookedAtAgain(
      detector, unpacked(one.picture), one.faces, one.crop, one.numbers,
    );
    return { faces, shown: detector.shown };
  },
  tags: (one) => {
    const rect = ([left, top, right, bottom]) => ({ left, top, right, bottom });
    return one.tags.map(({ face, extent, taken, before }) => {
      const found = placeTag(rect(face), extent, taken.map(rect), one.size, one.gap, before ?? undefined);
      return { place: found.place, rect: Object.values(found.rect) };
    });
  },
  rint: (one) => one.values.map(pixels.rint),
};

const cases = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(await Promise.all(cases.map((one) => kinds[one.kind](one)))));
