"""Every error that mien raises on purpose.

    MienError
    ├── SourceError            a path, URL or archive that cannot be read at all
    │   ├── ImageError         a file that is not a picture, or a broken one
    │   ├── ImageTooLargeError a picture refused by its header, before decoding
    │   ├── PictureError       an object that is no picture (a ValueError, too)
    │   └── VideoError         a video that breaks off, a stream or camera that went away
    ├── DatasetError           labelled faces that contradict their format
    ├── RecipeError            a recipe with an unknown field or an impossible value
    ├── TrainingError          a training that cannot start, go on or be resumed
    ├── ModelError             a model file that is corrupt or contradicts its card
    │   └── ParityError        an exported network that disagrees with its original
    ├── CalibrationError       rows that no temperature can be fitted on
    ├── DetectorError          a detector that is not there
    ├── WeightsError           a model file that cannot be found, fetched or verified
    ├── EngineError            a job whose workers cannot be started, or that is another one's
    ├── ServeError             a service that cannot be started
    ├── TableError             a table of results, or a file beside it, that cannot be summed up
    ├── OutputError            a result that cannot be written; nothing half-written is left
    ├── WindowError            a window that cannot be opened
    └── MissingExtraError      an optional dependency that is not installed

Each message says what is wrong, where (path, row, frame) and what to do next, on one line:
the command line prints it as it is and ends with exit code 1. Messages quote names and texts of
files that anybody made, so `MienError` itself makes each one printable and bounds its length.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unicodedata import category

MAX_MESSAGE = 290
"""Characters of the longest message: with the command's ``mien: `` before it, under 300."""

_WORD = 60
"""Characters that are left of a long path or other word where a message is too long."""
_GAP = "..."


def one_line(text: str, limit: int = MAX_MESSAGE) -> str:
    """A text as one printable line of bounded length, whatever a file put into it.

    Line breaks become blanks; control characters, marks that turn the direction of writing, and
    halves of characters (names that are no UTF-8) are written as escapes. In a text that is too
    long, long words, such as paths, lose their middle; then the text itself does: its beginning
    says where, its end what to do.
    """
    # Bounded before it is escaped, so that a text of megabytes costs nothing.
    words = printable(" ".join(_shortened(text, 8 * limit).splitlines())).split(" ")
    for index in sorted(range(len(words)), key=lambda index: -len(words[index])):
        too_long = sum(len(word) + 1 for word in words) - 1 - limit
        if too_long <= 0 or len(words[index]) <= _WORD:
            break
        words[index] = _shortened(words[index], max(_WORD, len(words[index]) - too_long))
    return _shortened(" ".join(words), limit)


def printable(text: str) -> str:
    """A text on one line in which everything that is not printed, line breaks too, is an escape."""
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or category(sign) == "Zs" else ascii(sign)[1:-1] for sign in text
    )


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    end = (limit - len(_GAP)) * 3 // 5
    return text[: limit - len(_GAP) - end] + _GAP + text[-end:]


class MienError(Exception):
    """Base of every error that mien raises on purpose; its message is `one_line`."""

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message)))


class SourceError(MienError):
    """A path, URL or archive cannot be read at all."""


class ImageError(SourceError):
    """A file is not a picture, or its pixels are broken off or damaged."""


class ImageTooLargeError(SourceError):
    """A picture's header announces more pixels than the limit; nothing was decoded."""


class PictureError(SourceError, ValueError):
    """An object that was given as a picture is none: another type, shape or range of values."""


class VideoError(SourceError):
    """A video breaks off, or a stream or camera went away; the frames before that were given."""


class DatasetError(MienError):
    """Labelled faces contradict their format; names the file and the row or folder."""


class RecipeError(MienError):
    """A recipe file is not one, or has an unknown field or an impossible value."""


class TrainingError(MienError):
    """A training cannot start, go on or be resumed; the run folder keeps the last good state."""


class ModelError(MienError):
    """A model file is corrupt, unreadable or contradicts its card."""


class ParityError(ModelError):
    """An exported network disagrees with its original; no file was written."""


class CalibrationError(MienError):
    """Rows on which no temperature can be fitted, or may be; the model is as it was."""


class DetectorError(MienError):
    """A face detector was named that is not there."""


class WeightsError(MienError):
    """A model file cannot be found, fetched or verified; the cache is unchanged."""


class TableError(MienError):
    """A table of results, or a file about its sources, contradicts its format or the others."""


class OutputError(MienError):
    """A result cannot be written; nothing half-written is left behind, but for a file that grows
    with a video: it keeps what came before."""


class EngineError(MienError):
    """A job cannot be done or resumed: no worker starts, or its folder holds another job."""


class ServeError(MienError):
    """A service cannot be started; nothing listens."""


class WindowError(MienError):
    """No window can be opened; nothing was begun."""


class MissingExtraError(MienError):
    """An optional dependency is not installed."""


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Turn a failed import inside the block into an error that names the extra to install.

    Args:
        extra: name of the extra in pyproject.toml, e.g. ``"train"``.

    Raises:
        MissingExtraError: a module imported in the block is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "mien":
            raise
        remedy = f"pip install '{_installed_from()}[{extra}]'"
        raise MissingExtraError(
            f"{error.name} is not installed; it comes with: {remedy}"
        ) from error


def _installed_from() -> str:
    """What pip installed mien from: a checkout's folder, or its name in the index (PEP 610)."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        url = json.loads(distribution("mien").read_text("direct_url.json") or "{}").get("url", "")
    except (PackageNotFoundError, ValueError):
        return "mien"
    folder = url.removeprefix("file://")
    return folder if url != folder and Path(folder, "pyproject.toml").is_file() else "mien"
