// @ts-check
/** Boxes and tags of faces, drawn on a canvas. */

import { css } from "./dom.mjs";
import { placeTag } from "./placing.mjs";
import { percent } from "./words.mjs";

/** @typedef {import("./types.mjs").Label} Label */
/** @typedef {import("./types.mjs").Result} Result */
/** @typedef {import("./placing.mjs").Rect} Rect */
/** @typedef {{text: string, label: Label, rect: Rect, place: number, font: number}} Tag */

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';
/** Smallest text, in pixels of the screen. */
const LEAST_TEXT_PX = 12;
/** All tags of a picture look alike: of these the first with which none covers much. */
const FORMS = [
  { size: 1, isShort: false },
  { size: 0.8, isShort: false },
  { size: 0.64, isShort: false },
  { size: 0.64, isShort: true },
];
const COVERS_MUCH = 0.1;
/** In a video tags become long again only after so many frames in which they would have room. */
const PATIENCE_FRAMES = 15;

/** What tags of a video were like in the frame before, so that nothing jumps about. */
export class TagMemory {
  constructor() {
    /** @type {Map<number, number>} place by track */
    this.places = new Map();
    this.form = 0;
    this.roomy = 0;
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Result} result
 * @param {Map<string, Label>} labels
 * @param {{width: number, height: number, mirrored?: boolean, scale?: number}} view the picture's
 *   place on the canvas, and pixels of the canvas per pixel of the screen
 * @param {TagMemory} [memory] for videos
 */
export function drawFaces(context, result, labels, view, memory = new TagMemory()) {
  const { width, height, mirrored = false, scale = 1 } = view;
  const [scaleX, scaleY] = [width / result.width, height / result.height];
  const line = Math.max(2 * scale, Math.sqrt(width * height) / 220);
  context.save();
  context.lineJoin = "round";
  context.textBaseline = "middle";
  const boxes = result.faces.map((face) => {
    const w = face.box[2] * scaleX;
    const left = mirrored ? width - face.box[0] * scaleX - w : face.box[0] * scaleX;
    const top = face.box[1] * scaleY;
    return { left, top, right: left + w, bottom: top + face.box[3] * scaleY };
  });
  result.faces.forEach((face, index) => {
    const { left, top, right, bottom } = boxes[index];
    const color = css(labels.get(face.expression)?.color_rgb ?? [128, 128, 128]);
    for (const [thickness, stroke] of /** @type {[number, string][]} */ ([
      [1.8 * line, "rgb(0 0 0 / .4)"],
      [line, color],
    ])) {
      context.lineWidth = thickness;
      context.strokeStyle = stroke;
      context.beginPath();
      const corner = Math.min(right - left, bottom - top) / 12;
      context.roundRect(left, top, right - left, bottom - top, corner);
      context.stroke();
    }
  });
  for (const { text, label, rect, font } of tagsOf(context, result, labels, boxes, view, line, memory)) {
    context.font = fontOf(font);
    context.fillStyle = css(label.color_rgb);
    context.beginPath();
    context.roundRect(rect.left, rect.top, rect.right - rect.left, rect.bottom - rect.top, 0.25 * font);
    context.fill();
    context.fillStyle = css(label.ink_rgb);
    context.fillText(text, rect.left + 0.4 * font, (rect.top + rect.bottom) / 2 + 0.05 * font);
  }
  context.restore();
}

/**
 * Tags in the longest form with which they all have room.
 * @param {CanvasRenderingContext2D} context
 * @param {Result} result
 * @param {Map<string, Label>} labels
 * @param {Rect[]} boxes
 * @param {{width: number, height: number, scale?: number}} view
 * @param {number} line
 * @param {TagMemory} memory
 */
function tagsOf(context, result, labels, boxes, view, line, memory) {
  const form = FORMS.findIndex((_, at) => !isCrowded(placed(at)));
  const wanted = form < 0 ? FORMS.length - 1 : form;
  memory.roomy = wanted < memory.form ? memory.roomy + 1 : 0;
  if (wanted > memory.form || memory.roomy > PATIENCE_FRAMES) memory.form = wanted;
  const tags = placed(memory.form);
  memory.places = new Map(
    tags.flatMap(({ track, place }) => (track === null ? [] : [[track, place]])),
  );
  return tags;

  /** @param {(Tag & {covered: number})[]} tags */
  function isCrowded(tags) {
    return tags.some(({ covered, rect }) => covered > COVERS_MUCH || rect.right > view.width);
  }

  /** @param {number} at in `FORMS` */
  function placed(at) {
    const { size, isShort } = FORMS[at];
    const least = LEAST_TEXT_PX * (view.scale ?? 1);
    const font = Math.max(least, (size * Math.sqrt(view.width * view.height)) / 40);
    context.font = fontOf(font);
    /** @type {Rect[]} */
    const taken = [];
    return result.faces.flatMap((face, index) => {
      const label = labels.get(face.expression);
      if (!label) return [];
      const number = result.faces.length > 1 ? `${face.track ?? index + 1}` : "";
      const whole = `${label.name} ${percent(face.confidence)}`;
      const text = isShort ? number || percent(face.confidence) : `${number}  ${whole}`.trim();
      const extent = /** @type {[number, number]} */ ([
        context.measureText(text).width + 0.8 * font,
        1.5 * font,
      ]);
      const others = [...boxes.slice(0, index), ...boxes.slice(index + 1), ...taken];
      const before = face.track === null ? undefined : memory.places.get(face.track);
      const picture = /** @type {[number, number]} */ ([view.width, view.height]);
      const found = placeTag(boxes[index], extent, others, picture, line, before);
      taken.push(found.rect);
      return [{ text, label, font, track: face.track, ...found }];
    });
  }
}

/** @param {number} size in pixels */
function fontOf(size) {
  return `600 ${size}px ${FONT}`;
}
