"""``mien live``: expressions in a window, from a camera, a stream, or a video in real time."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.model_argument import (
    MODEL_HELP,
    ArchitectureOption,
    InputSizeOption,
    LabelsOption,
    ScalingOption,
    open_model,
)
from mien.cli.recognition_options import (
    DetectorName,
    DetectorOption,
    HalfLifeOption,
    MinConfidenceOption,
    OfflineOption,
    Tta,
    TtaOption,
)

if TYPE_CHECKING:
    from mien.cli.recognizing import Wanted
    from mien.live.loop import Live
    from mien.recognition.video_recognizer import VideoRecognizer
    from mien.sources.source import FrameSource

_HINT = "keys: q quits, r records, s takes a snapshot, m mirrors, space freezes, h helps"
_SIZE = re.compile(r"([1-9][0-9]{1,4})[xX]([1-9][0-9]{1,4})")


def live(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A camera's number or device, the address of a stream, or a video file, which "
            "plays in real time.",
        ),
    ] = "0",
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Record what the window shows from the first frame on: .mp4. Nothing is "
            "overwritten: the next one is FILE-2.",
        ),
    ] = None,
    snapshots: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Where snapshots go, and recordings without --record. [default: this folder]",
            show_default=False,
        ),
    ] = Path(),
    mirror: Annotated[
        bool | None,
        typer.Option(
            "--mirror/--no-mirror",
            help="Swap left and right in the window. [default: for cameras]",
            show_default=False,
        ),
    ] = None,
    table: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Write a row per face and frame: .csv, .jsonl or .parquet. This, --segments and "
            "--timeline may be repeated.",
        ),
    ] = None,
    segments: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Write when each face showed what: .csv, .json or .vtt."),
    ] = None,
    timeline: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Write a page about it: .html.")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH",
            help="Size to ask of the camera, as 1280x720; it gives the nearest that it has.",
        ),
    ] = None,
    list_cameras: Annotated[
        bool, typer.Option("--list-cameras", help="List the cameras that are connected.")
    ] = False,
    detector: DetectorOption = DetectorName.AUTO,
    model: Annotated[str, typer.Option(metavar="MODEL", help=MODEL_HELP)] = "default",
    offline: OfflineOption = False,
    min_confidence: MinConfidenceOption = 0.0,
    tta: TtaOption = Tta.NONE,
    half_life: HalfLifeOption = None,
    search_side: Annotated[
        int,
        typer.Option(
            min=64,
            metavar="PX",
            help="Longest side to which frames are reduced to search for faces; more finds "
            "smaller faces and takes longer.",
        ),
    ] = 320,
    labels: LabelsOption = None,
    scaling: ScalingOption = None,
    architecture: ArchitectureOption = None,
    input_size: InputSizeOption = None,
) -> None:
    """Show expressions live in a window; comes with: pip install 'mien[live]'.

    Keys: q or Esc quits, r records, s takes a snapshot, m mirrors, space freezes, h helps.
    Nothing is stored unless you ask.

    For example:

    mien live

    mien live 1 --size 1280x720 --record session.mp4 --table session.csv
    """
    if list_cameras:
        _print_cameras()
        return
    from mien.cli.console import warn
    from mien.cli.recognizing import Wanted
    from mien.recognition.recognizer import Recognizer
    from mien.recognition.smoothing import HALF_LIFE_S
    from mien.recognition.video_recognizer import VideoRecognizer

    wanted = Wanted(
        tables=tuple(table or ()), segments=tuple(segments or ()), timelines=tuple(timeline or ())
    )
    asked_size = _parsed_size(size, source)
    _check_places(wanted, record, source)
    recognizer = VideoRecognizer(
        Recognizer(
            open_model(model, labels, scaling, architecture, input_size).classifier(),
            detector.value,
            offline=offline,
            on_fallback=warn,
            search_side_px=search_side,
            min_confidence=min_confidence,
            tta=tta.value,
        ),
        half_life_s=HALF_LIFE_S if half_life is None else half_life,
    )
    runs: list[Live] = []
    with ExitStack() as stack:
        frames = _open(source, asked_size, lambda line: runs[0].tell(line) if runs else warn(line))
        stack.enter_context(frames)
        runs.append(_prepare(stack, frames, recognizer, wanted, record, snapshots, mirror))
        warn(_HINT)
        try:
            runs[0].run()
        finally:
            _print_summary(runs[0])
    if runs[0].n_failed:
        raise typer.Exit(1)


def _parsed_size(size: str | None, source: str) -> tuple[int, int] | None:
    if size is None:
        return None
    found = _SIZE.fullmatch(size)
    if found is None:
        raise typer.BadParameter("expected width and height, as 1280x720", param_hint="--size")
    if not _is_camera(source):
        raise typer.BadParameter(f"is for cameras; {source} is none", param_hint="--size")
    return int(found[1]), int(found[2])


def _is_camera(source: str) -> bool:
    path = Path(source)
    return path.is_char_device() or (source.isdecimal() and not path.exists())


def _check_places(wanted: "Wanted", record: Path | None, source: str) -> None:
    """Refuse files that cannot be written, before anything is switched on."""
    from mien.live.recording import free_path
    from mien.outputs.paths import VIDEO_SUFFIX, check_outputs, check_suffix

    wanted.check()
    if record is not None:
        check_suffix(record, (VIDEO_SUFFIX,), "recording")
    recorded = [] if record is None else [record if record.is_dir() else free_path(record)]
    check_outputs([*recorded, *wanted.paths], [source])


def _open(
    source: str, size: tuple[int, int] | None, on_event: Callable[[str], None]
) -> "FrameSource":
    from mien.errors import SourceError
    from mien.sources import open_frames
    from mien.sources.cameras import Camera

    if not source:
        raise SourceError("the name of the source is empty; name a camera, a stream or a file")
    if Path(source).is_dir():
        raise SourceError(f"{source} is a folder; name a camera, a stream or a video file")
    if size is not None:
        return Camera(int(source) if source.isdecimal() else source, size=size)
    return open_frames(source, on_event=on_event)


def _prepare(
    stack: ExitStack,
    frames: "FrameSource",
    recognizer: "VideoRecognizer",
    wanted: "Wanted",
    record: Path | None,
    snapshots: Path,
    mirror: bool | None,
) -> "Live":
    """Open the window and everything that is written; all of it is closed by the stack."""
    from mien.cli.console import warn
    from mien.live.loop import Live
    from mien.live.newest import paced
    from mien.live.window import Window
    from mien.outputs.tables import Table
    from mien.sources.cameras import Camera
    from mien.workflows.videos import open_outputs

    info = frames.info
    window = stack.enter_context(Window(f"mien: {info.name}", info.width_px, info.height_px))
    outputs = open_outputs(
        info, recognizer.recognizer, segments=wanted.segments, timelines=wanted.timelines
    )
    label_keys = recognizer.recognizer.classifier.label_set.keys
    for path in wanted.tables:
        table = stack.enter_context(Table(path, label_keys, of_videos=True))
        outputs.append(table.as_output())
    return Live(
        paced(frames),
        recognizer,
        window,
        outputs,
        is_mirrored=isinstance(frames, Camera) if mirror is None else mirror,
        record=record,
        folder=snapshots,
        on_notice=warn,
    )


def _print_summary(run: "Live") -> None:
    from mien.cli.console import output

    pace = run.pace
    line = f"{pace.n_shown:,} frames shown"
    if pace.n_shown > 1:
        line += (
            f", {pace.frame_rate_hz:.1f} a second; latency {pace.latency_s * 1000:.1f} ms "
            f"(95 of 100 below {pace.latency_p95_s * 1000:.1f} ms)"
        )
    output.print(f"{line}; {run.n_dropped:,} dropped", markup=False)


def _print_cameras() -> None:
    from rich.markup import escape
    from rich.table import Table

    from mien.cli.console import output, warn
    from mien.sources.cameras import list_cameras

    cameras = list_cameras()
    if not cameras:
        warn("no camera is connected")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("camera", "device", "name"):
        table.add_column(title, overflow="fold")
    for camera in cameras:
        table.add_row(str(camera.index), camera.path or "", escape(camera.name))
    output.print(table)
