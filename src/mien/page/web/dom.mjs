// @ts-check
/** Elements, found and made. */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no ${kind.name} #${id}`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * @param {string} text
 * @param {() => unknown} act
 * @param {string} [kind]
 */
export function button(text, act, kind = "") {
  const element = make("button", { type: "button", class: kind }, text);
  element.addEventListener("click", act);
  return element;
}

/**
 * Shows a message, or hides its place where there is none.
 * @param {HTMLElement} place
 * @param {string} text
 * @param {...Node} more
 */
export function tell(place, text, ...more) {
  place.replaceChildren(...(text ? [text, ...more] : []));
  place.hidden = !text;
}

/** @param {[number, number, number]} rgb */
export function css([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}

/**
 * A context for drawing; browsers refuse one only where memory is short.
 * @param {HTMLCanvasElement} canvas
 */
export function contextOf(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no canvas");
  return context;
}

/**
 * Pixels of a canvas for what is one pixel of the page in a window of common size; large windows
 * have larger text, so what is drawn on pictures grows, too.
 * @param {number} [most] pixels of the canvas per pixel of the screen
 */
export function drawingScale(most = Infinity) {
  const usual = 16;
  const text = parseFloat(getComputedStyle(document.documentElement).fontSize) || usual;
  return (Math.min(window.devicePixelRatio || 1, most) * text) / usual;
}

/**
 * Hands a file to the visitor.
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
