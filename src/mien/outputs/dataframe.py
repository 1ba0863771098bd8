"""Results and segments as pandas data frames, with the columns of the tables."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mien.errors import needs_extra
from mien.labels import FER2013, LABEL_SETS, UNCERTAIN, LabelSet
from mien.outputs.rows import columns, may_be_uncertain, rows, shown_keys
from mien.outputs.segments import SEGMENT_COLUMNS, segment_cells
from mien.recognition.segments import Segment
from mien.results import FrameResult

if TYPE_CHECKING:
    import pandas as pd

_DTYPES = {
    "source": "string",
    "frame": "int64",
    "face": "int64",
    "track": "Int64",
    "n_frames": "int64",
}
"""Of the columns that are no float64; ``track`` may be missing."""


def to_dataframe(
    results: Iterable[FrameResult], label_set: LabelSet | None = None
) -> "pd.DataFrame":
    """One row per face, as in a table (docs/video_outputs.md); frames without faces have none.

    Args:
        results: of pictures, or of the frames of videos.
        label_set: the classes; None: those of the first classified face, and of FER-2013 where
            there is none.

    Returns:
        ``source`` string; ``frame`` and ``face`` int64; ``track`` Int64, missing for pictures;
        ``expression`` category, in the label set's order, with ``uncertain`` behind it where a
        face may be; all others float64. Columns ``raw_p_<key>`` are there where a face has them.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    results = list(results)
    faces = [face for result in results for face in result.faces]
    if label_set is None:
        found = (face.expression.label_set for face in faces if face.expression is not None)
        label_set = next(found, FER2013)
    with_raw = any(face.raw is not None for face in faces)
    cells = (row for result in results for row in rows(result, label_set.keys, with_raw=with_raw))
    categories = shown_keys(label_set.keys, may_be_uncertain=any(map(may_be_uncertain, results)))
    return _frame(columns(label_set.keys, with_raw=with_raw), cells, categories)


def segments_to_dataframe(
    segments: Iterable[Segment], label_set: LabelSet | None = None
) -> "pd.DataFrame":
    """One row per segment, with the columns of a file of segments.

    Args:
        segments: in any order, which is kept.
        label_set: the classes; None: a known set that has all labels of the segments.

    Returns:
        ``track`` Int64, ``expression`` category, with ``uncertain`` where a segment is,
        ``n_frames`` int64, all others float64.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    segments = list(segments)
    labels = dict.fromkeys(segment.label for segment in segments)
    used = tuple(label.key for label in labels if label != UNCERTAIN)
    sets = [label_set] if label_set is not None else LABEL_SETS.values()
    keys = next((known.keys for known in sets if set(used) <= set(known.keys)), used)
    categories = shown_keys(keys, may_be_uncertain=UNCERTAIN in labels)
    return _frame(SEGMENT_COLUMNS, map(segment_cells, segments), categories)


def _frame(
    names: tuple[str, ...], cells: Iterable[tuple[Any, ...]], keys: tuple[str, ...]
) -> "pd.DataFrame":
    with needs_extra("table"):
        import pandas as pd

    values = list(zip(*cells, strict=True)) or [()] * len(names)
    return pd.DataFrame(
        {
            name: pd.Categorical(column, categories=list(keys))
            if name == "expression"
            else pd.Series(list(column), dtype=_DTYPES.get(name, "float64"))
            for name, column in zip(names, values, strict=True)
        }
    )
