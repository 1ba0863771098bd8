// @ts-check
/** Photos: dropped, pasted or chosen, many at once. */

import { button, byId, contextOf, drawingScale, make, save, tell } from "./dom.mjs";
import { FaceCard, labelsOf } from "./faces.mjs";
import { drawFaces } from "./overlay.mjs";
import { asCsv, asJson } from "./record.mjs";
import { NO_FACE, Told, count, hiddenPhoto, leftOut } from "./words.mjs";

/** @typedef {import("./types.mjs").Numbers} Numbers */
/** @typedef {import("./types.mjs").Result} Result */
/** @typedef {import("./live.mjs").Place} Place */
/** @typedef {{file: File, card: HTMLElement, result: Result | null, hasFailed: boolean}} Photo */

/** Longest side of the pictures that are shown, in small and in large windows. */
const [SHOWN_PX, MOST_SHOWN_PX] = [1280, 2560];
/** Small pictures are shown enlarged by this much at most. */
const MOST_ENLARGED = 2;
const AT_A_TIME = 2;
/** So many have room beside their picture. */
const FEW_FACES = 2;

export class Photos {
  /**
   * @param {Numbers} numbers
   * @param {() => Place} place
   */
  constructor(numbers, place) {
    this.numbers = numbers;
    this.place = place;
    this.labels = labelsOf(numbers);
    this.list = byId("photos-list", HTMLElement);
    this.error = byId("photos-error", HTMLElement);
    this.status = byId("photos-status", HTMLElement);
    this.downloads = byId("photos-downloads", HTMLElement);
    this.drop = byId("photos-drop", HTMLElement);
    /** @type {Photo[]} */
    this.photos = [];
    /** @type {Photo[]} */
    this.queue = [];
    this.working = 0;
    const input = byId("photos-input", HTMLInputElement);
    byId("photos-choose", HTMLButtonElement).addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      this.add([...(input.files ?? [])]);
      input.value = "";
    });
  }

  /** @param {File[]} files */
  add(files) {
    const wanted = files.filter((file) => !file.type || file.type.startsWith("image/"));
    const others = files.filter((file) => !wanted.includes(file)).map((file) => file.name);
    tell(this.error, others.length ? leftOut(others, "picture") : "");
    for (const file of wanted) {
      const name = file.name || "pasted picture";
      const card = make("article", { class: "photo", "aria-label": name },
        make("p", { class: "soft" }, `${name} …`));
      const photo = { file, card, result: null, hasFailed: false };
      this.list.prepend(card);
      this.photos.push(photo);
      this.queue.push(photo);
    }
    this.drop.classList.toggle("small", this.photos.length > 0);
    if (wanted.length) this.#told();
    while (this.working < AT_A_TIME && this.queue.length) this.#work();
  }

  async #work() {
    this.working++;
    for (let photo = this.queue.shift(); photo; photo = this.queue.shift()) {
      await this.#one(photo);
      // Unless all were removed meanwhile.
      if (!this.photos.includes(photo)) continue;
      this.#told();
      this.#offerDownloads();
    }
    this.working--;
  }

  /** @param {Photo} photo */
  async #one(photo) {
    const { file, card } = photo;
    const name = file.name || "pasted picture";
    const place = this.place();
    if ("onWait" in place) place.onWait = (words) => tell(this.error, words);
    try {
      const [result, bitmap] = await Promise.all([
        place.photo(file),
        createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null),
      ]);
      photo.result = { ...result, source: name };
      this.#show(photo, bitmap, place);
      bitmap?.close();
    } catch (error) {
      const words = error instanceof Told ? error.message : `${name} failed (${error}).`;
      photo.hasFailed = true;
      card.replaceChildren(make("header", {}, make("h3", {}, name)),
        make("p", { class: "error", role: "alert" }, words));
    }
  }

  /**
   * @param {Photo} photo
   * @param {ImageBitmap | null} bitmap
   * @param {Place} place
   */
  #show({ file, card, result }, bitmap, place) {
    if (!result) return;
    const where = place.isBrowser ? "in this browser" : "on the service";
    const head = make("header", {}, make("h3", {}, result.source),
      make("p", { class: "soft" }, `${count(result.faces.length, "face")}, found ${where}`));
    const figure = make("figure");
    if (bitmap) {
      figure.append(this.#framed(bitmap, result));
      head.append(button("Save picture", () => this.#savePicture(file, result)));
    } else {
      figure.append(make("p", { class: "soft" }, hiddenPhoto(result.source)));
    }
    const faces = make("div", { class: "faces" });
    result.faces.forEach((face, index) => {
      const face_ = new FaceCard(this.numbers, `Face ${index + 1}`, false);
      face_.draw(face, 0);
      if (bitmap) face_.picture(bitmap, face, false, bitmap.width / result.width);
      faces.append(face_.element);
    });
    if (!result.faces.length) faces.append(make("p", { class: "none" }, NO_FACE));
    const kind = result.faces.length > FEW_FACES ? "looked" : "looked few";
    card.replaceChildren(head, make("div", { class: kind }, figure, faces));
  }

  /**
   * The picture, and over it boxes and tags whose text is of a readable size on any screen.
   * @param {ImageBitmap} bitmap
   * @param {Result} result
   */
  #framed(bitmap, result) {
    const density = window.devicePixelRatio || 1;
    const longest = Math.min(Math.max(SHOWN_PX, window.innerWidth * density), MOST_SHOWN_PX);
    const picture = this.#drawn(bitmap, Math.min(1, longest / Math.max(bitmap.width, bitmap.height)));
    const shown = result.faces.map((face) => this.labels.get(face.expression)?.name).join(", ");
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", `${result.source}: ${count(result.faces.length, "face")}. ${shown}`);
    const overlay = make("canvas", { class: "overlay", "aria-hidden": "true" });
    new ResizeObserver(() => {
      overlay.width = Math.round(overlay.clientWidth * density);
      overlay.height = Math.round(overlay.clientHeight * density);
      const { width, height } = overlay;
      drawFaces(contextOf(overlay), result, this.labels, { width, height, scale: drawingScale() });
    }).observe(overlay);
    const frame = make("div", { class: "framed" }, picture, overlay);
    frame.style.setProperty("--ratio", `${bitmap.width / bitmap.height}`);
    frame.style.setProperty("--most", `${MOST_ENLARGED * bitmap.width}px`);
    return frame;
  }

  /**
   * @param {ImageBitmap} bitmap
   * @param {number} scale
   */
  #drawn(bitmap, scale) {
    const width = Math.max(1, Math.round(bitmap.width * scale));
    const height = Math.max(1, Math.round(bitmap.height * scale));
    const canvas = make("canvas");
    [canvas.width, canvas.height] = [width, height];
    const context = contextOf(canvas);
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, 0, 0, width, height);
    return canvas;
  }

  /**
   * @param {File} file
   * @param {Result} result
   */
  async #savePicture(file, result) {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    const most = this.numbers.most_pixels;
    const scale = Math.min(1, Math.sqrt(most / (bitmap.width * bitmap.height)));
    const canvas = this.#drawn(bitmap, scale);
    bitmap.close();
    const { width, height } = canvas;
    drawFaces(contextOf(canvas), result, this.labels, { width, height });
    const name = `${stem(result.source)}_annotated.jpg`;
    canvas.toBlob((blob) => blob && save(blob, name), "image/jpeg", 0.92);
  }

  #told() {
    const done = this.photos.filter((photo) => photo.result);
    const failed = this.photos.filter((photo) => photo.hasFailed).length;
    const left = this.photos.length - done.length - failed;
    const faces = done.reduce((sum, photo) => sum + (photo.result?.faces.length ?? 0), 0);
    this.status.textContent = `${[
      `${count(done.length, "photo")} done`,
      ...(left ? [`${left} to go`] : []),
      ...(failed ? [`${failed} failed`] : []),
      `${count(faces, "face")} found`,
    ].join(", ")}.`;
  }

  #offerDownloads() {
    const results = () => this.photos.flatMap((photo) => (photo.result ? [photo.result] : []));
    this.downloads.replaceChildren(
      button("Save table (CSV)", () => save(asCsv(results(), this.numbers, false), "mien-photos.csv")),
      button("Save JSON", () => save(asJson(results(), this.numbers), "mien-photos.json")),
      button("Remove all", () => this.clear()),
    );
  }

  clear() {
    this.queue = [];
    this.photos = [];
    this.list.replaceChildren();
    this.drop.classList.remove("small");
    this.downloads.replaceChildren();
    this.status.textContent = "";
    tell(this.error, "");
    byId("photos-choose", HTMLButtonElement).focus();
  }
}

/** @param {string} name */
function stem(name) {
  return name.replace(/\.[^.]*$/, "");
}
