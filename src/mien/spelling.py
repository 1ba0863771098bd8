"""What a person may have meant by a word that is not known: the nearest words that are."""

import difflib
from collections.abc import Sequence

_SIMILAR = 0.6
"""Share of characters in common from which a word counts as near (difflib's ratio)."""

_WORSE = 0.25
"""How much less alike than the nearest one a further word may be."""


def nearest(word: str, known: Sequence[str], *, most: int = 3) -> list[str]:
    """Known words that a mistyped or shortened one may stand for, the nearest first.

    Near are words that are spelled alike, whose initials are the word (``lr`` for
    ``learning_rate``), or of which it is a part (``rate``). Case, leading dashes and the
    difference between ``-`` and ``_`` do not count. Dotted words are compared whole and by their
    last part.

    Args:
        word: as it was typed.
        known: the words that there are.
        most: how many to give at most.
    """
    wanted = _plain(word)
    scores = {each: _likeness(wanted, _plain(each)) for each in known}
    least = max(_SIMILAR, max(scores.values(), default=0) - _WORSE)
    near = [each for each in known if scores[each] >= least]
    return sorted(near, key=lambda each: -scores[each])[:most]


def did_you_mean(word: str, known: Sequence[str], *, most: int = 3) -> str:
    """``did you mean A or B?``, or nothing where no known word is near."""
    near = nearest(word, known, most=most)
    return f"did you mean {' or '.join(near)}?" if near else ""


def _plain(word: str) -> str:
    return word.lower().lstrip("-").replace("-", "_")


def _likeness(word: str, known: str) -> float:
    """1 for the same word; above `_SIMILAR` for near ones."""
    last = known.rpartition(".")[2]
    if word in (known, last):
        return 1.0
    parts = last.split("_")
    if len(parts) > 1 and word == "".join(part[:1] for part in parts):
        return 0.95
    likeness = max(difflib.SequenceMatcher(None, each, word).ratio() for each in {known, last})
    return max(likeness, _SIMILAR) if word in parts else likeness
