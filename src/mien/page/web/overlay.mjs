// @ts-check
/** Boxes and tags of faces, drawn on a canvas. */

import { css } from "./dom.mjs";
import { percent } from "./words.mjs";

/** @typedef {import("./types.mjs").Label} Label */
/** @typedef {import("./types.mjs").Result} Result */

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Result} result
 * @param {Map<string, Label>} labels
 * @param {{width: number, height: number, mirrored?: boolean, scale?: number}} view the picture's
 *   place on the canvas, and pixels of the canvas per pixel of the screen
 */
export function drawFaces(context, result, labels, view) {
  const { width, height, mirrored = false, scale = 1 } = view;
  const [scaleX, scaleY] = [width / result.width, height / result.height];
  const line = Math.max(2 * scale, Math.sqrt(width * height) / 220);
  const size = Math.max(12 * scale, Math.sqrt(width * height) / 40);
  context.save();
  context.lineJoin = "round";
  context.textBaseline = "middle";
  const places = result.faces.map((face) => {
    const w = face.box[2] * scaleX;
    const x = mirrored ? width - face.box[0] * scaleX - w : face.box[0] * scaleX;
    return { x, y: face.box[1] * scaleY, w, h: face.box[3] * scaleY };
  });
  result.faces.forEach((face, index) => {
    const { x, y, w, h } = places[index];
    const color = css(labels.get(face.expression)?.color_rgb ?? [128, 128, 128]);
    for (const [thickness, stroke] of /** @type {[number, string][]} */ ([
      [1.8 * line, "rgb(0 0 0 / .4)"],
      [line, color],
    ])) {
      context.lineWidth = thickness;
      context.strokeStyle = stroke;
      context.beginPath();
      context.roundRect(x, y, w, h, Math.min(w, h) / 12);
      context.stroke();
    }
  });
  result.faces.forEach((face, index) => {
    const { x, y, w, h } = places[index];
    const label = labels.get(face.expression);
    if (!label) return;
    const number = face.track === null ? index + 1 : face.track;
    const name = result.faces.length > 1 ? `${number}  ${label.name}` : label.name;
    let text = `${name} ${percent(face.confidence)}`;
    let font = Math.min(size, Math.max(10 * scale, w / 4.5));
    context.font = `600 ${font}px ${FONT}`;
    if (context.measureText(text).width > Math.max(1.6 * w, 60 * scale)) {
      text = name;
      font *= 0.95;
      context.font = `600 ${font}px ${FONT}`;
    }
    const padding = 0.4 * font;
    const tagWidth = context.measureText(text).width + 2 * padding;
    const tagHeight = 1.5 * font;
    const left = Math.min(Math.max(0, x), Math.max(0, width - tagWidth));
    const above = y - tagHeight - line;
    const top = above >= 0 ? above : Math.min(y + h + line, height - tagHeight);
    context.fillStyle = css(label.color_rgb);
    context.beginPath();
    context.roundRect(left, top, tagWidth, tagHeight, 0.25 * font);
    context.fill();
    context.fillStyle = css(label.ink_rgb);
    context.fillText(text, left + padding, top + tagHeight / 2 + 0.05 * font);
  });
  context.restore();
}
