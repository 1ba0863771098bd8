"""The marks of an axis of time."""

import math

from mien.clock import clock

_STEPS_S = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400),
)
_MOST_MARKS = 9


def marks(from_s: float, to_s: float) -> list[tuple[float, str]]:
    """Round times within a span, and how they are written; at most nine, from the fixed steps."""
    length = to_s - from_s
    fine_enough = (step for step in _STEPS_S if length / step <= _MOST_MARKS)
    step = next(fine_enough, 86400 * math.ceil(length / 86400 / _MOST_MARKS))
    first, last = math.ceil(from_s / step - 1e-9), math.floor(to_s / step + 1e-9)
    return [
        (number * step, clock(number * step, digits=1 if step < 1 else 0))
        for number in range(first, last + 1)
    ]
