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
    ├── ServeError             a service that cannot be started
    ├── OutputError            a result that cannot be written; nothing half-written is left
    ├── WindowError            a window that cannot be opened
    └── MissingExtraError      an optional dependency that is not installed

Each message says what is wrong, where (path, row, frame) and what to do next, on one line:
the command line prints it as it is and ends with exit code 1.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class MienError(Exception):
    """Base of every error that mien raises on purpose."""


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


class OutputError(MienError):
    """A result cannot be written; nothing half-written is left behind, but for a file that grows
    with a video: it keeps what came before."""


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
        raise MissingExtraError(
            f"{error.name} is not installed; it comes with: pip install 'mien[{extra}]'"
        ) from error
