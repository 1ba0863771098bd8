// @ts-check
/** Cards of faces: what each shows, all probabilities as bars and as text, and a timeline. */

import { contextOf, css, make } from "./dom.mjs";
import { SPAN_S, Timeline } from "./timeline.mjs";
import { NO_FACE_NOW, percent } from "./words.mjs";

/** @typedef {import("./types.mjs").Numbers} Numbers */
/** @typedef {import("./types.mjs").Label} Label */
/** @typedef {import("./types.mjs").Face} Face */
/** @typedef {import("./types.mjs").Result} Result */

const THUMB_PX = 96;
const SPOKEN_EVERY_MS = 2000;
/** Texts and thumbnails change no more often than this: they are to be read. */
const DRAWN_EVERY_MS = 120;
const DRAWN_SELDOM_MS = 600; // where the visitor asked for less motion
const THUMB_EVERY_MS = 700;
const CARD_STAYS_S = 1.5;

/** @param {Numbers} numbers */
export function labelsOf(numbers) {
  return new Map([...numbers.labels, numbers.uncertain].map((label) => [label.key, label]));
}

/** One face. */
export class FaceCard {
  /**
   * @param {Numbers} numbers
   * @param {string} name
   * @param {boolean} hasTimeline
   */
  constructor(numbers, name, hasTimeline) {
    this.numbers = numbers;
    this.labels = labelsOf(numbers);
    this.name = name;
    this.seen = 0;
    this.thumbAt = -Infinity;
    this.shown = make("p", { class: "shown" });
    this.thumb = make("canvas", {
      class: "thumb", width: `${THUMB_PX}`, height: `${THUMB_PX}`, "aria-hidden": "true",
    });
    this.bars = numbers.labels.map((label) => {
      const fill = make("i");
      fill.style.background = css(label.color_rgb);
      const value = make("span", { class: "value" });
      const row = make("li", {}, make("span", { class: "name" }, label.name),
        make("span", { class: "bar", "aria-hidden": "true" }, fill), value);
      return { fill, value, row };
    });
    const head = make("header", {}, this.thumb,
      make("div", {}, make("h3", {}, name), this.shown));
    this.element = make("article", { class: "face", "aria-label": name }, head,
      make("ul", { class: "bars" }, ...this.bars.map((bar) => bar.row)));
    this.timeline = hasTimeline ? new Timeline(numbers.labels) : null;
    if (this.timeline) {
      this.element.append(this.timeline.canvas,
        make("p", { class: "axis", "aria-hidden": "true" },
          make("span", {}, `${SPAN_S} s ago`), make("span", {}, "now")));
    }
  }

  /** @param {Face} face */
  words(face) {
    return `${this.labels.get(face.expression)?.name ?? face.expression} ${percent(face.confidence)}`;
  }

  /**
   * @param {Face} face
   * @param {number} time
   */
  remember(face, time) {
    this.seen = time;
    this.timeline?.add(time, this.numbers.labels.map(({ key }) => face.probabilities[key]));
  }

  /**
   * @param {Face} face
   * @param {number} time
   */
  draw(face, time) {
    const label = this.labels.get(face.expression);
    const words = this.words(face);
    if (this.shown.textContent !== words) this.shown.textContent = words;
    this.element.style.setProperty("--shown", css(label?.color_rgb ?? [128, 128, 128]));
    this.numbers.labels.forEach(({ key }, index) => {
      const share = face.probabilities[key];
      const { fill, value, row } = this.bars[index];
      fill.style.width = `${(100 * share).toFixed(1)}%`;
      const text = percent(share);
      if (value.textContent !== text) value.textContent = text;
      row.classList.toggle("top", key === face.expression);
    });
    this.timeline?.draw(time, `${this.name}, the last ${SPAN_S} seconds; now ${words}`);
  }

  /**
   * @param {CanvasImageSource} source
   * @param {Face} face
   * @param {boolean} mirrored
   * @param {number} scale pixels of the source per pixel of the result
   */
  picture(source, face, mirrored, scale = 1) {
    const [x, y, width, height] = face.box.map((value) => value * scale);
    const side = 1.35 * Math.max(width, height);
    const context = contextOf(this.thumb);
    context.setTransform(mirrored ? -1 : 1, 0, 0, 1, mirrored ? THUMB_PX : 0, 0);
    context.clearRect(0, 0, THUMB_PX, THUMB_PX);
    context.drawImage(source, x + width / 2 - side / 2, y + height / 2 - side / 2, side, side,
      0, 0, THUMB_PX, THUMB_PX);
  }
}

/** The faces of something that moves, one card a track. */
export class FacePanel {
  /**
   * @param {HTMLElement} place
   * @param {Numbers} numbers
   * @param {HTMLElement} heard where changed labels are announced
   */
  constructor(place, numbers, heard) {
    this.place = place;
    this.numbers = numbers;
    this.heard = heard;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.empty = make("p", { class: "none" });
    /** @type {Map<number, FaceCard>} */
    this.cards = new Map();
    /** @type {Map<number, string>} what was said of each track */
    this.spoken = new Map();
    this.spokenAt = -Infinity;
    this.drawnAt = -Infinity;
    this.clear("Faces appear here.");
  }

  /** @param {string} words */
  clear(words) {
    this.cards.clear();
    this.spoken.clear();
    this.spokenAt = -Infinity;
    this.drawnAt = -Infinity;
    this.empty.textContent = words;
    this.place.replaceChildren(this.empty);
  }

  /**
   * @param {Result} result
   * @param {{source: CanvasImageSource, mirrored: boolean, scale: number} | null} view
   */
  show(result, view) {
    const now = performance.now();
    for (const face of result.faces) this.#card(face).remember(face, result.time_s);
    if (now - this.drawnAt < (this.calm.matches ? DRAWN_SELDOM_MS : DRAWN_EVERY_MS)) return;
    this.drawnAt = now;
    for (const face of result.faces) {
      const card = this.#card(face);
      card.draw(face, result.time_s);
      if (view && now - card.thumbAt > THUMB_EVERY_MS) {
        card.thumbAt = now;
        card.picture(view.source, face, view.mirrored, view.scale);
      }
    }
    for (const [track, card] of this.cards) {
      const isAway = !result.faces.some((face) => face.track === track);
      card.element.classList.toggle("away", isAway);
      if (isAway && result.time_s - card.seen > CARD_STAYS_S) {
        card.element.remove();
        this.cards.delete(track);
        this.spoken.delete(track);
      }
    }
    const words = this.cards.size ? "" : NO_FACE_NOW;
    if (this.empty.textContent !== words) this.empty.textContent = words;
    this.#speak(result, now);
  }

  /** @param {Face} face */
  #card(face) {
    const track = face.track ?? 0;
    let card = this.cards.get(track);
    if (!card) {
      card = new FaceCard(this.numbers, `Face ${track}`, true);
      this.cards.set(track, card);
      this.place.append(card.element);
    }
    return card;
  }

  /**
   * @param {Result} result
   * @param {number} now
   */
  #speak(result, now) {
    if (now - this.spokenAt < SPOKEN_EVERY_MS) return;
    const changed = result.faces.filter(
      (face) => face.track !== null && this.spoken.get(face.track) !== face.expression,
    );
    if (!changed.length) return;
    this.spokenAt = now;
    for (const face of changed) this.spoken.set(Number(face.track), face.expression);
    const labels = labelsOf(this.numbers);
    this.heard.textContent = changed
      .map((face) => `Face ${face.track}: ${labels.get(face.expression)?.name}.`)
      .join(" ");
  }
}
