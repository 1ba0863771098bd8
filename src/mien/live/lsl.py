"""A Lab Streaming Layer outlet: what faces show, as numbers that a recorder puts beside others.

Two streams: ``mien`` has a sample for each face of each frame, and one for a frame without a face,
so that every frame is there; ``mien markers`` says in words when a face begins to show something.

Samples carry the time at which their frame was taken, on LSL's clock, not the time at which it
had been recognised: `FrameClockMap` finds it. Recorders correct for the clocks of other machines.

Source: https://labstreaminglayer.readthedocs.io; the metadata are those of XDF's meta types.
"""

import hashlib
import math
import time
from collections.abc import Callable
from typing import Any, Literal

from mien.errors import MissingExtraError, needs_extra
from mien.labels import UNCERTAIN
from mien.outputs.coding import subject
from mien.outputs.rows import columns, rows
from mien.results import FrameResult

LslScope = Literal["off", "machine", "network"]
"""Who finds the streams: nobody, programs on this machine, or all machines of the network."""

STREAM_NAME, MARKERS_NAME = "mien", "mien markers"
"""What the streams are called."""
STREAM_TYPE, MARKERS_TYPE = "Expressions", "Markers"
"""Their content types; the second is LSL's own."""
DRIFT = 1e-4
"""By how much a source's clock may be slower than this machine's: 100 parts in a million."""

_N_FACES = "n_faces"
_LINGER_S = 0.5
"""How long consumers get to fetch the last samples."""
_CHECKED_EVERY_S = 5.0
_TRIES = 9
_UNITS = {"s": "seconds", "deg": "degrees", "px": "pixels", "x": "pixels", "y": "pixels"}
_PIXELS = ("x", "y", "w", "h")


_ON_THIS_MACHINE = """
[multicast]
ResolveScope = machine
[log]
level = -2
"""
"""Configuration of liblsl (its lsl_api.cfg): announced here only; errors only on stderr."""


class FrameClockMap:
    """From a source's own times to LSL's clock.

    A frame reaches this program some time after it was taken, now sooner, now later. The frames
    that were quickest tell how the two clocks lie to each other, and that holds for all: so what
    delays one frame does not shift its time. The offset may grow by `DRIFT`, so that a slower
    clock of the source is followed.

    Args:
        lsl_clock: LSL's clock, in seconds.
        clock: the clock of `Arrival.captured_s`, in seconds.
    """

    def __init__(
        self, lsl_clock: Callable[[], float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lsl_clock, self._clock = lsl_clock, clock
        self._offset_s: float | None = None
        self._before = (-math.inf, -math.inf)
        self._checked_s = self._last_s = -math.inf
        self.clock_offset_s = 0.0
        """LSL's clock less the program's, in seconds, as it was last measured."""

    def stamp(self, time_s: float, captured_s: float) -> float:
        """When a frame was taken, on LSL's clock; later than that of the frame before.

        Args:
            time_s: the frame's time in its source.
            captured_s: when it came.
        """
        if captured_s - self._checked_s >= _CHECKED_EVERY_S:
            self._checked_s = captured_s
            self.clock_offset_s = self._measured()
        offset_s = captured_s - time_s
        if self._offset_s is not None:
            # While this program stands still its clock goes on; the frames that then come at once
            # say nothing new, so the slower of the two clocks tells how much time went by.
            passed_s = min(captured_s - self._before[0], time_s - self._before[1])
            offset_s = min(offset_s, self._offset_s + DRIFT * max(0.0, passed_s))
        self._offset_s, self._before = offset_s, (captured_s, time_s)
        stamp_s = time_s + offset_s + self.clock_offset_s
        self._last_s = max(stamp_s, self._last_s + 1e-6)
        return self._last_s

    def _measured(self) -> float:
        """The two clocks, read as close to each other as a few tries allow."""
        best_s, offset_s = math.inf, 0.0
        for _ in range(_TRIES):
            before_s = self._clock()
            lsl_s = self._lsl_clock()
            after_s = self._clock()
            if after_s - before_s < best_s:
                best_s, offset_s = after_s - before_s, lsl_s - (before_s + after_s) / 2
        return offset_s


class LslOutlet:
    """The two streams. For one thread.

    Args:
        label_keys: keys of the classes in order.
        source: name of what is watched.
        model: name of what classifies.
        scope: ``machine`` or ``network``; the first call of a process decides for all.

    Raises:
        MissingExtraError: pylsl, or the library that it needs, is not installed.
    """

    def __init__(
        self, label_keys: tuple[str, ...], source: str, model: str, scope: LslScope = "machine"
    ) -> None:
        pylsl = _pylsl()
        if scope == "machine":
            # Streams of other scopes are announced to the local network.
            pylsl.set_config_content(_ON_THIS_MACHINE)
        self._keys = label_keys
        self._columns = channel_names(label_keys)
        self._clock = FrameClockMap(pylsl.local_clock)
        self._showing: dict[int, str] = {}
        self.n_samples = 0
        """Samples so far, of both streams."""
        identity = hashlib.sha256(f"{source}\0{model}".encode("utf-8", "replace")).hexdigest()[:16]
        info = pylsl.StreamInfo(
            STREAM_NAME,
            STREAM_TYPE,
            len(self._columns),
            pylsl.IRREGULAR_RATE,
            pylsl.cf_double64,
            f"mien-{identity}",
        )
        _describe(info, self._columns, label_keys, source, model)
        markers = pylsl.StreamInfo(
            MARKERS_NAME,
            MARKERS_TYPE,
            1,
            pylsl.IRREGULAR_RATE,
            pylsl.cf_string,
            f"mien-markers-{identity}",
        )
        self._outlets: list[Any] = [pylsl.StreamOutlet(info), pylsl.StreamOutlet(markers)]

    @property
    def n_channels(self) -> int:
        """Channels of the stream of numbers."""
        return len(self._columns)

    def push(self, result: FrameResult, captured_s: float) -> None:
        """Send what was recognised in a frame.

        Args:
            result: the faces.
            captured_s: when the frame came, on the clock of `time.monotonic`.
        """
        if not self._outlets:
            return
        stamp_s = self._clock.stamp(result.time_s, captured_s)
        numbers, markers = self._outlets
        for sample in samples(result, self._keys):
            numbers.push_sample(sample, stamp_s)
            self.n_samples += 1
        for face in result.faces:
            if face.track is None or face.expression is None:
                continue
            key = face.expression.label.key
            if self._showing.get(face.track) != key:
                self._showing[face.track] = key
                markers.push_sample([f"{subject(face.track)}: {key}"], stamp_s)
                self.n_samples += 1

    def close(self) -> None:
        """End the streams, once consumers had time to fetch the last samples; may be called
        twice."""
        outlets, self._outlets = self._outlets, []
        if any(outlet.have_consumers() for outlet in outlets):
            time.sleep(_LINGER_S)
        outlets.clear()


def channel_names(label_keys: tuple[str, ...]) -> tuple[str, ...]:
    """The channels of the stream of numbers: the number of faces in the frame, then the columns of
    a table but for the source."""
    return (_N_FACES, *(name for name in columns(label_keys, with_raw=True) if name != "source"))


def samples(result: FrameResult, label_keys: tuple[str, ...]) -> list[list[float]]:
    """The samples of a frame: one for each face, or one without.

    Args:
        result: the faces.
        label_keys: keys of the classes in order.

    Returns:
        Numbers in the order of `channel_names`; ``expression`` is the index of the class, or the
        number of classes where it is uncertain. NaN: not known.
    """
    names = columns(label_keys, with_raw=True)
    at = names.index("expression")
    shown = (*label_keys, UNCERTAIN.key)
    found = []
    for row in rows(result, label_keys, with_raw=True):
        cells = list(row)
        if cells[at] is not None:
            cells[at] = shown.index(cells[at])
        numbers = [math.nan if cell is None else float(cell) for cell in cells[1:]]
        found.append([float(len(result.faces)), *numbers])
    if not found:
        empty = dict.fromkeys(names[1:], math.nan)
        empty |= {"frame": float(result.frame), "time_s": round(result.time_s, 6)}
        found.append([0.0, *empty.values()])
    return found


def _describe(
    info: Any, names: tuple[str, ...], label_keys: tuple[str, ...], source: str, model: str
) -> None:
    """What the channels mean, inside the stream."""
    description = info.desc()
    channels = description.append_child("channels")
    for name in names:
        channel = channels.append_child("channel")
        channel.append_child_value("label", name)
        channel.append_child_value("unit", _unit(name))
        channel.append_child_value("type", STREAM_TYPE)
    expressions = description.append_child("expressions")
    for number, key in enumerate((*label_keys, UNCERTAIN.key)):
        expression = expressions.append_child("expression")
        expression.append_child_value("index", str(number))
        expression.append_child_value("key", key)
    synchronization = description.append_child("synchronization")
    synchronization.append_child_value("can_drop_samples", "true")
    acquisition = description.append_child("acquisition")
    acquisition.append_child_value("software", "mien")
    acquisition.append_child_value("model", model)
    acquisition.append_child_value("source", source)


def _unit(name: str) -> str:
    end = name.rsplit("_", 1)[-1]
    return "pixels" if name in _PIXELS else _UNITS.get(end, "none")


def _pylsl() -> Any:
    with needs_extra("lab"):
        try:
            import pylsl
        except RuntimeError as error:  # its library, which some systems have apart
            raise MissingExtraError(
                "pylsl does not find liblsl; install it as "
                "https://github.com/sccn/liblsl/releases says"
            ) from error
    return pylsl
