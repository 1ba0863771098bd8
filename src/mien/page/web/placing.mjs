// @ts-check
/** Where tags stand: beside their faces, inside the picture; mien/drawing/placement.py. */

/** @typedef {{left: number, top: number, right: number, bottom: number}} Rect in pixels */

/** Share of a tag that may be covered before it leaves the place that it had. */
const TOLERATED = 0.05;

/**
 * The first place around a face where a tag covers least.
 * @param {Rect} face the tag's own, which it may cover if it must
 * @param {[number, number]} extent width and height of the tag
 * @param {Rect[]} taken other faces, and the tags that stand already
 * @param {[number, number]} picture width and height
 * @param {number} gap distance from the face
 * @param {number | undefined} before number of the place in the frame before
 * @returns {{place: number, rect: Rect, covered: number}} `covered` is a share of the tag
 */
export function placeTag(face, extent, taken, picture, gap, before) {
  const [width, height] = extent;
  const { left, top, right, bottom } = face;
  const [above, below] = [top - height - gap, bottom + gap];
  const corners = [
    [left, above], [right - width, above], [left, below], [right - width, below],
    [left - width - gap, top], [right + gap, top], [left, top + gap], [left, bottom - height - gap],
  ];
  const shareOf = (/** @type {Rect} */ rect) => coveredArea(rect, taken) / (width * height);
  const found = corners.map(([x, y], place) => {
    const rect = inside(x, y, extent, picture);
    return { place, rect, covered: shareOf(rect) };
  });
  if (before !== undefined && found[before].covered <= TOLERATED) return found[before];
  return found.reduce((best, one) => (one.covered < best.covered ? one : best));
}

/**
 * @param {number} x
 * @param {number} y
 * @param {[number, number]} extent
 * @param {[number, number]} picture
 * @returns {Rect}
 */
function inside(x, y, [width, height], picture) {
  const left = Math.max(0, Math.min(x, picture[0] - width));
  const top = Math.max(0, Math.min(y, picture[1] - height));
  return { left, top, right: left + width, bottom: top + height };
}

/**
 * @param {Rect} rect
 * @param {Rect[]} taken
 */
function coveredArea(rect, taken) {
  return taken.reduce((sum, other) => {
    const width = Math.min(rect.right, other.right) - Math.max(rect.left, other.left);
    const height = Math.min(rect.bottom, other.bottom) - Math.max(rect.top, other.top);
    return sum + Math.max(0, width) * Math.max(0, height);
  }, 0);
}
