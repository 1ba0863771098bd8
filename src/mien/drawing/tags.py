"""Tags: track, label and confidence on the label's colour, as sprites of two halves.

The confidence changes with every frame, the label seldom: each half is drawn once per text, so
that a video needs few drawings and a frame only lays them down.
"""

import math

from mien.drawing.sprites import Canvas, Rgb, Sprite, rounded
from mien.drawing.style import SPRITES, UNCLASSIFIED, Style, ink_on
from mien.drawing.texts import shortened, shown_name, text_mask, text_width
from mien.results import Face


def tag_sprites(face: Face, style: Style, width_px: int) -> tuple[Sprite, ...]:
    """What stands on a face's tag, from left to right.

    Args:
        face: with a track and an expression, or without.
        style: sizes.
        width_px: of the picture; the confidence, then the track are left out where they do not
            fit in.
    """
    color = face_color(face)
    track = "" if face.track is None else f"#{face.track}"
    if face.expression is None:
        return (_half((track, "face"), color, style, "lr"),)
    name = shown_name(face.expression.label, face.expression.index)
    if face.expression.is_uncertain:  # nothing is shown that a confidence could be of
        alone = _half((track, name), color, style, "lr")
        return (alone if alone.width <= width_px else _half(("", name), color, style, "lr"),)
    whole = (
        _half((track, name), color, style, "l"),
        _half((f"{face.expression.confidence:.0%}",), color, style, "r"),
    )
    if whole[0].width + whole[1].width <= width_px:
        return whole
    without_confidence = _half((track, name), color, style, "lr")
    if without_confidence.width <= width_px:
        return (without_confidence,)
    return (_half(("", name), color, style, "lr"),)


def face_color(face: Face) -> Rgb:
    """The colour of the label that is shown."""
    return UNCLASSIFIED if face.expression is None else face.expression.label.color_rgb


def _half(texts: tuple[str, ...], color: Rgb, style: Style, corners: str) -> Sprite:
    return SPRITES.get(
        (texts, color, style.text, corners), lambda: _drawn(texts, color, style, corners)
    )


def _drawn(texts: tuple[str, ...], color: Rgb, style: Style, corners: str) -> Sprite:
    texts = tuple(shortened(text, style.text) for text in texts if text)
    space = 0.28 * style.text
    widths = [text_width(text, style.text) for text in texts]
    if corners == "r":  # two digits of any shape take the same room, so that the tag stands still
        widths = [max(widths[0], text_width("88%", style.text))]
    start = style.tag_pad if "l" in corners else space
    end = style.tag_pad if "r" in corners else 0
    width = math.ceil(start + sum(widths) + space * (len(texts) - 1) + end)
    canvas = Canvas(width, style.tag_height)
    canvas.fill(rounded(width, style.tag_height, style.tag_pad, corners=corners), color)
    for text, taken in zip(texts, widths, strict=True):
        mask = text_mask(text, style.text, width, style.tag_height, start)
        canvas.fill(mask, ink_on(color))
        start += taken + space
    return canvas.sprite()
