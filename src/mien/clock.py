"""Times as people and subtitles write them: the one place that turns seconds into text."""


def clock(time_s: float, digits: int = 0, *, rounded: bool = True) -> str:
    """Minutes and seconds, ``3:07``, with hours where there are some, ``1:03:07``.

    Args:
        time_s: in seconds.
        digits: after the point.
        rounded: whether to round to these digits; else what is beyond them is cut off, as a
            running clock does.
    """
    unit = 10**digits
    units = max(0.0, time_s) * unit
    whole, part = divmod(round(units) if rounded else int(units), unit)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{head}:{seconds:02}" + (f".{part:0{digits}}" if digits else "")


def subtitle_clock(time_ms: int) -> str:
    """Hours, minutes, seconds and milliseconds, ``00:03:07.250``, as WebVTT wants them."""
    seconds, milliseconds = divmod(time_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{milliseconds:03d}"
