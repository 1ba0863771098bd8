"""Words for measures of groups and gaps in them, one form for terminal, pages, figures, cards."""

from collections.abc import Sequence

from mien.evaluation.group_columns import ACCURACY, RECALL

_MOST_LEFT_OUT = 2
_MOST_NAMED = 3


def measure_words(measure: str, classes: Sequence[str], labels: Sequence[str]) -> str:
    """A measure's name, and the classes that it averages over.

    Args:
        measure: its name.
        classes: keys of the classes; empty where it averages over none.
        labels: keys of all classes; empty where they are not known.

    Returns:
        ``macro recall (all 7 classes)``, ``macro recall (all but disgust)``, ``macro recall
        (happy, sad)``; other names as they are.
    """
    if not classes:
        return measure
    left_out = [key for key in labels if key not in classes]
    if labels and not left_out:
        return f"{measure} (all {len(classes)} classes)"
    if labels and len(left_out) <= _MOST_LEFT_OUT < len(classes):
        return f"{measure} (all but {' and '.join(left_out)})"
    return f"{measure} ({', '.join(classes)})"


def points_between(low: float, high: float) -> str:
    """The difference of two parts of 1 in points: that of the numbers that are shown of them."""
    return f"{abs(round(100 * high, 1) - round(100 * low, 1)):.1f}"


def tied_words(names: Sequence[str]) -> str:
    """Groups that have the same value: ``A``, ``A and B``, ``A, B, C and 4 more``."""
    if len(names) <= 1:
        return "".join(names)
    if len(names) > _MOST_NAMED:
        return f"{', '.join(names[:_MOST_NAMED])} and {len(names) - _MOST_NAMED} more"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def expression_words(
    measure: str, gap: float, of_expressions: float | None, is_recall_found: bool | None
) -> str:
    """How much of a gap is there because the groups show other expressions, as a sentence.

    Args:
        measure: what differs.
        gap: by how much, as a part of 1.
        of_expressions: what other expressions alone would make; None where that is not known.
        is_recall_found: whether a gap in macro recall was found; None where that could not be
            compared.

    Returns:
        Empty where it says nothing.
    """
    if of_expressions is None:
        return ""
    if of_expressions < 0.05 * gap:
        said = "Other expressions do not explain it"
    elif of_expressions < gap:
        said = f"Other expressions alone would make {100 * of_expressions:.1f} of these points"
    else:
        said = "Other expressions alone would make as much"
    if measure != ACCURACY or is_recall_found:
        return f"{said}."
    if is_recall_found is None:
        return f"{said}; {RECALL} could not be compared."
    return f"{said}, and no gap in {RECALL} was found, which weighs every expression alike."
