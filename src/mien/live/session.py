"""A live session: source, recogniser, window and files, joined.

The one place that composes what `mien live` runs.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mien.errors import SourceError
from mien.formats.reading import Reading
from mien.live.loop import Live
from mien.live.lsl import MARKERS_NAME, STREAM_NAME, LslOutlet, LslScope
from mien.live.meter import Pace
from mien.live.newest import paced
from mien.live.recording import free_path
from mien.live.window import Window
from mien.model.sessions import VIDEO_THREADS, ExecutionProvider
from mien.outputs.tables import Table
from mien.paths import VIDEO_SUFFIX, check_outputs, check_suffix
from mien.recognition.classifier import Classifier
from mien.recognition.recognizer import Recognizer
from mien.recognition.smoothing import HALF_LIFE_S
from mien.recognition.turning import Rotate
from mien.recognition.video_recognizer import LIVE_SEARCH_SIDE_PX, VideoRecognizer
from mien.results import Tta
from mien.sources import open_frames
from mien.sources.addresses import masked
from mien.sources.cameras import Camera, list_cameras
from mien.sources.source import FrameSource
from mien.workflows.files import Paths, WantedFiles, open_outputs, paths_of
from mien.workflows.models import open_model

__all__ = [
    "SEARCH_SIDE_PX",
    "Session",
    "check_places",
    "is_camera",
    "list_cameras",
    "open_live_model",
    "show_live",
]

SEARCH_SIDE_PX = LIVE_SEARCH_SIDE_PX
"""Longest side to which frames are reduced to search for faces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a live session is made of; nothing is opened before `opened`."""

    source: str
    """A camera's number or device, the address of a stream, or a video file."""
    classifier: Classifier
    """What classifies."""
    detector: str = "auto"
    """As in `Recognizer`."""
    offline: bool = False
    """As in `Recognizer`."""
    search_side_px: int = SEARCH_SIDE_PX
    """As in `VideoRecognizer`."""
    min_confidence: float = 0.0
    """As in `Recognizer`."""
    tta: Tta = "none"
    """As in `Recognizer`."""
    rotate: Rotate = 0
    """As in `VideoRecognizer`: frames are turned by it to search for faces."""
    half_life_s: float | None = None
    """As in `VideoRecognizer`; its default where None."""
    size_px: tuple[int, int] | None = None
    """Width and height to ask of a camera."""
    files: WantedFiles = field(default_factory=WantedFiles)
    """Tables, segments and timelines that are written."""
    record: Path | None = None
    """Recorded from the first frame on; nothing is overwritten."""
    folder: Path = Path()
    """Where snapshots go, and recordings without `record`."""
    lsl: LslScope = "off"
    """Who finds the streams of the Lab Streaming Layer."""
    is_mirrored: bool | None = None
    """Whether left and right are swapped in the window; None: for cameras."""

    @contextmanager
    def opened(self, on_line: Callable[[str], None]) -> Iterator[Live]:
        """Open everything and yield what runs; everything is closed at the end of the block.

        Args:
            on_line: told in a line what the person should know.

        Raises:
            SourceError: the source cannot be read.
            DetectorError: as `Recognizer`.
            WindowError: no window can be opened.
            MissingExtraError: a library is not installed.
        """
        recognizer = VideoRecognizer(
            Recognizer(
                self.classifier,
                self.detector,
                offline=self.offline,
                on_fallback=on_line,
                min_confidence=self.min_confidence,
                tta=self.tta,
                rotate=self.rotate,
            ),
            half_life_s=HALF_LIFE_S if self.half_life_s is None else self.half_life_s,
            search_side_px=self.search_side_px,
        )
        runs: list[Live] = []
        with ExitStack() as stack:
            frames = stack.enter_context(
                self._open(lambda line: runs[0].tell(line) if runs else on_line(line))
            )
            runs.append(self._prepared(stack, frames, recognizer, on_line))
            yield runs[0]

    def _open(self, on_event: Callable[[str], None]) -> FrameSource:
        source = self.source
        if not source:
            raise SourceError("the name of the source is empty; name a camera, a stream or a file")
        if Path(source).is_dir():
            raise SourceError(f"{source} is a folder; name a camera, a stream or a video file")
        if self.size_px is not None:
            return Camera(int(source) if source.isdecimal() else source, size=self.size_px)
        return open_frames(source, on_event=on_event)

    def _prepared(
        self,
        stack: ExitStack,
        frames: FrameSource,
        recognizer: VideoRecognizer,
        on_line: Callable[[str], None],
    ) -> Live:
        """Open the window and everything that is written; all of it is closed by the stack."""
        info = frames.info
        recognizer.prepare(info.width_px, info.height_px)
        window = stack.enter_context(Window(f"mien: {info.name}", info.width_px, info.height_px))
        outputs = open_outputs(
            info,
            recognizer.recognizer,
            segments=self.files.segments,
            timelines=self.files.timelines,
        )
        for path in self.files.tables:
            keys = self.classifier.label_set.keys
            outputs.append(stack.enter_context(Table(path, keys, of_videos=True)).as_output())
        outlet: LslOutlet | None = None
        if self.lsl != "off":
            card = self.classifier.card
            outlet = LslOutlet(card.label_set.keys, masked(info.name), card.name, self.lsl)
            stack.callback(outlet.close)
            on_line(
                f"LSL streams {STREAM_NAME!r} ({outlet.n_channels} channels) and "
                f"{MARKERS_NAME!r} are open to the {self.lsl}"
            )
        is_mirrored = isinstance(frames, Camera) if self.is_mirrored is None else self.is_mirrored
        return Live(
            paced(frames),
            recognizer,
            window,
            outputs,
            is_mirrored=is_mirrored,
            record=self.record,
            folder=self.folder,
            on_notice=on_line,
            **({} if outlet is None else {"on_result": outlet.push}),
        )


def open_live_model(
    model: str | Path, reading: Reading | None = None, provider: ExecutionProvider = "cpu"
) -> Classifier:
    """What classifies in a session; arguments and errors as `mien.workflows.models.open_model`."""
    return open_model(model, reading, provider, threads=VIDEO_THREADS).classifier()


def check_places(files: WantedFiles, record: Path | None, source: str) -> None:
    """Refuse files that cannot be written, before anything is loaded or switched on.

    Args:
        files: tables, segments and timelines.
        record: the recording, if wanted.
        source: what is shown, which must not be overwritten.

    Raises:
        OutputError: an ending is not understood, or a place is not to be written to.
    """
    files.check()
    if record is not None:
        check_suffix(record, (VIDEO_SUFFIX,), "recording")
    recorded = [] if record is None else [record if record.is_dir() else free_path(record)]
    check_outputs([*recorded, *files.paths], [source])


def is_camera(source: str) -> bool:
    """Whether a source, as typed, is a camera."""
    path = Path(source)
    return path.is_char_device() or (source.isdecimal() and not path.exists())


def show_live(
    source: str | int = 0,
    *,
    model: str | Path | Classifier = "default",
    detector: str = "auto",
    table: Paths = (),
    segments: Paths = (),
    timeline: Paths = (),
    record: str | Path | None = None,
    min_confidence: float = 0.0,
    tta: Tta = "none",
    rotate: Rotate = 0,
    offline: bool = False,
    lsl: LslScope = "off",
    on_line: Callable[[str], None] = lambda line: None,
) -> Pace:
    """Show a camera, a stream or a video in a window, until the person or the source ends it.

    Args:
        source: a camera's number or device, the address of a stream, or a video file.
        model: ``default``, a name, the folder of a training, an ONNX or a Keras file.
        detector: as in `Recognizer`.
        table: a row per face and frame; here and below one path or several.
        segments: ``.csv``, ``.json``, ``.vtt``, ``.eaf``, ``.boris``, ``.boris.csv`` or
            ``.observer.csv``.
        timeline: ``.html``.
        record: an ``.mp4`` that is recorded from the first frame on; nothing is overwritten.
        min_confidence: as in `Recognizer`.
        tta: as in `Recognizer`.
        rotate: degrees by which frames are turned clockwise to search for faces, where a camera
            stands on its side or its head.
        offline: never touch the network.
        lsl: who finds the streams of the Lab Streaming Layer: ``machine``, or ``network``: other
            machines, too.
        on_line: told in a line what was saved and what happens to the source.

    Returns:
        What was measured: frames, rate and latency.

    Raises:
        SourceError, VideoError: the source cannot be read, or broke off.
        OutputError: a file cannot be written.
        WindowError: no window can be opened.
        ModelError, WeightsError, DetectorError: as `Recognizer`.
        MissingExtraError: a library is not installed.
    """
    files = WantedFiles(paths_of(table), paths_of(segments), paths_of(timeline))
    record = None if record is None else Path(record)
    check_places(files, record, str(source))
    session = Session(
        source=str(source),
        classifier=model if isinstance(model, Classifier) else open_live_model(model),
        detector=detector,
        offline=offline,
        min_confidence=min_confidence,
        tta=tta,
        rotate=rotate,
        files=files,
        record=record,
        lsl=lsl,
    )
    with session.opened(on_line) as run:
        run.run()
    return run.pace
