"""Where tags and charts stand: beside their faces, inside the picture, covering nothing.

Places are tried in a fixed order, moved into the picture. In a video the place that a track had
before is kept while it is free, so that nothing jumps about when faces move.
"""

import math
from collections.abc import Sequence

Rect = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; the last two are just outside."""
Size = tuple[int, int]
"""Width and height in pixels."""

_TOLERATED = 0.05
"""Share of a tag that may be covered before it leaves the place that it had."""


def place_tag(
    face: Rect, extent: Size, taken: Sequence[Rect], picture: Size, gap: int, before: int | None
) -> tuple[int, Rect]:
    """The first place around a face where a tag covers least.

    Args:
        face: the tag's own face, which it may cover if it must.
        extent: size of the tag.
        taken: other faces, and the tags that stand already.
        picture: size of the picture.
        gap: distance from the face.
        before: number of the place in the frame before; None where there is none.

    Returns:
        Number of the place, and the place.
    """
    left, top, right, bottom = face
    width, height = extent
    above, below = top - height - gap, bottom + gap
    corners = (
        *((left, above), (right - width, above), (left, below), (right - width, below)),
        *((left - width - gap, top), (right + gap, top)),
        *((left, top + gap), (left, bottom - height - gap)),
    )
    rects = [_inside(x, y, extent, picture) for x, y in corners]
    if before is not None and _covered(rects[before], taken) <= _TOLERATED * width * height:
        return before, rects[before]
    best, least = 0, math.inf
    for number, rect in enumerate(rects):
        area = _covered(rect, taken)
        if area == 0:
            return number, rect
        if area < least:
            best, least = number, area
    return best, rects[best]


def place_chart(
    face: Rect,
    tag: Rect,
    extent: Size,
    taken: Sequence[Rect],
    picture: Size,
    gap: int,
    *,
    before: int | None,
    margin: int,
) -> tuple[int, Rect] | None:
    """The first place around a face, or beside its tag, where a chart covers nothing.

    Args:
        face: the chart's face.
        tag: its tag.
        extent: size of the chart.
        taken: faces, tags and the charts that stand already.
        picture: size of the picture.
        gap: distance from the face.
        before: number of the place in the frame before, kept while it is free.
        margin: what has to be free of others around a new place.

    Returns:
        Number of the place, and the place; None where none is free.
    """
    left, top, right, bottom = face
    width, height = extent
    if width > picture[0] or height > picture[1]:
        return None
    middle = (left + right - width) // 2
    corners = (
        *((right + gap, top), (left - width - gap, top)),
        *((right + gap, bottom - height), (left - width - gap, bottom - height)),
        (middle, max(bottom, tag[3]) + gap),
        (middle, min(top, tag[1]) - height - gap),
        *((tag[2] + gap, tag[3] - height), (tag[0] - width - gap, tag[3] - height)),
    )
    if before is not None:
        rect = _inside(*corners[before], extent, picture)
        if not _covered(rect, taken):
            return before, rect
    others = [rect for rect in taken if rect not in (face, tag)] if margin else []
    for number, (x, y) in enumerate(corners):
        rect = _inside(x, y, extent, picture)
        if not _covered(rect, taken) and not _covered(_grown(rect, margin), others):
            return number, rect
    return None


def shortest_line(a: Rect, b: Rect) -> tuple[tuple[int, int], tuple[int, int]]:
    """Ends of the shortest line between two rectangles."""
    (x, to_x), (y, to_y) = (_facing(a, b, axis) for axis in (0, 1))
    return (x, y), (to_x, to_y)


def distance(a: Rect, b: Rect) -> float:
    """Shortest distance between two rectangles, in pixels."""
    start, end = shortest_line(a, b)
    return math.dist(start, end)


def _facing(a: Rect, b: Rect, axis: int) -> tuple[int, int]:
    if a[axis + 2] < b[axis]:
        return a[axis + 2], b[axis]
    if b[axis + 2] < a[axis]:
        return a[axis], b[axis + 2]
    middle = (max(a[axis], b[axis]) + min(a[axis + 2], b[axis + 2])) // 2
    return middle, middle


def _inside(left: int, top: int, extent: Size, picture: Size) -> Rect:
    left = max(0, min(left, picture[0] - extent[0]))
    top = max(0, min(top, picture[1] - extent[1]))
    return left, top, left + extent[0], top + extent[1]


def _grown(rect: Rect, margin: int) -> Rect:
    return rect[0] - margin, rect[1] - margin, rect[2] + margin, rect[3] + margin


def _covered(rect: Rect, taken: Sequence[Rect]) -> int:
    """Area in pixels of what is taken under a rectangle."""
    left, top, right, bottom = rect
    area = 0
    for x1, y1, x2, y2 in taken:
        if x1 < right and x2 > left and y1 < bottom and y2 > top:
            area += (min(right, x2) - max(left, x1)) * (min(bottom, y2) - max(top, y1))
    return area
