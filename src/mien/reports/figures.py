"""What all plots share: figures, colours, sizes of text, and PNG bytes.

Figures are objects of their own: matplotlib's global state (pyplot, rcParams) is never touched,
so plotting is safe in a server's thread and leaves a caller's own plots alone. Colours tell apart
in grey and with colour blindness: one-hue blues, and blue against vermilion.
"""

import io
from typing import TYPE_CHECKING

from mien.errors import needs_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 200
"""Resolution; a full-width figure has about 1,300 pixels."""

BLUE, SKY, VERMILION = "#0072b2", "#7fb8d9", "#d55e00"
"""Okabe & Ito's blue, a paler one, and vermilion (https://jfly.uni-koeln.de/color/)."""
INK, SOFT = "#1b1d21", "#6b7280"
"""Text, and what stands behind it."""

SMALL_PT, TEXT_PT, TITLE_PT = 8.5, 9.5, 11.0
"""Sizes of text, in points."""

DASHED = (0, (4, 3))
"""Line style of references, such as means."""


def empty_figure(width_in: float, height_in: float) -> "Figure":
    """A white figure without axes, of a size in inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    with needs_extra("report"):
        from matplotlib.figure import Figure

    return Figure(
        figsize=(width_in, height_in), dpi=DOTS_PER_INCH, layout="constrained", facecolor="white"
    )


def figure_with_axes(width_in: float, height_in: float) -> "tuple[Figure, Axes]":
    """A white figure with one pair of axes, of a size in inches."""
    figure = empty_figure(width_in, height_in)
    return figure, figure.subplots()


def set_title(axes: "Axes", text: str) -> None:
    """Write a title above the left end of the axes."""
    axes.set_title(text, fontsize=TITLE_PT, loc="left", pad=10, color=INK)


def make_plain(axes: "Axes") -> None:
    """Take away the lines above and to the right."""
    axes.spines["top"].set_visible(False)
    axes.spines["right"].set_visible(False)
    axes.tick_params(labelsize=SMALL_PT)


def percent_tick(value: float, _position: float = 0.0) -> str:
    """A part of 1 as whole percent, for axes."""
    return f"{100 * value:.0f} %"


def short_name(name: str, letters: int) -> str:
    """The end of a file's name, on one line, in letters that every font has."""
    plain = "".join(sign if sign.isprintable() else "?" for sign in name)
    plain = plain.encode("latin-1", errors="replace").decode("latin-1")
    return plain if len(plain) <= letters else f"...{plain[3 - letters :]}"


def to_png(figure: "Figure") -> bytes:
    """Draw a figure."""
    stream = io.BytesIO()
    # Without the version of matplotlib the same numbers give the same bytes.
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
