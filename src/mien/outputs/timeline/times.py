"""Times as people read them, and the marks of an axis of time."""

import math

_STEPS_S = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400),
)
_MOST_MARKS = 9


def clock(time_s: float, digits: int = 0) -> str:
    """Minutes and seconds, ``3:07``, with hours where there are some, ``1:03:07``.

    Args:
        time_s: in seconds.
        digits: after the point; more digits than that are rounded.
    """
    unit = 10**digits
    whole, part = divmod(round(max(0.0, time_s) * unit), unit)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{head}:{seconds:02}" + (f".{part:0{digits}}" if digits else "")


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
