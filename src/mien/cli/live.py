"""``mien live``: expressions in a window, from a camera, a stream, or a video in real time."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.model_argument import (
    MODEL_HELP,
    ArchitectureOption,
    InputSizeOption,
    LabelsOption,
    ScalingOption,
    reading_of,
)
from mien.cli.recognition_options import (
    DetectorName,
    DetectorOption,
    HalfLifeOption,
    MinConfidenceOption,
    OfflineOption,
    ProviderName,
    ProviderOption,
    RotateName,
    Tta,
    TtaOption,
    wanted_files,
)

if TYPE_CHECKING:
    from mien.live.loop import Live

_HINT = "keys: q quits, r records, s takes a snapshot, m mirrors, space freezes, h shows the keys"
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
        typer.Option(
            metavar="FILE",
            help="Write when each face showed what: .csv, .json, .vtt (subtitles), .eaf (ELAN), "
            ".boris or .boris.csv, .observer.csv.",
        ),
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
    lsl: Annotated[
        bool,
        typer.Option(
            "--lsl",
            help="Send numbers and markers to the Lab Streaming Layer, for recorders on this "
            "machine; comes with: pip install 'mien[lab]'.",
        ),
    ] = False,
    lsl_network: Annotated[
        bool,
        typer.Option(
            "--lsl-network",
            help="As --lsl, for recorders on other machines of the local network, too. LSL has no "
            "passwords: whoever is in it can read along.",
        ),
    ] = False,
    list_cameras: Annotated[
        bool, typer.Option("--list-cameras", help="List the cameras that are connected.")
    ] = False,
    detector: DetectorOption = DetectorName.AUTO,
    model: Annotated[str, typer.Option(metavar="MODEL", help=MODEL_HELP)] = "default",
    offline: OfflineOption = False,
    min_confidence: MinConfidenceOption = 0.0,
    tta: TtaOption = Tta.NONE,
    rotate: Annotated[
        RotateName,
        typer.Option(
            help="Turn frames clockwise by so many degrees to search for faces, where a camera "
            "stands on its side or its head; auto turns none.",
        ),
    ] = RotateName.NONE,
    half_life: HalfLifeOption = None,
    search_side: Annotated[
        int,
        typer.Option(
            min=64,
            max=65_535,  # a JPEG's longest side
            metavar="PX",
            help="Longest side to which frames are reduced to search for faces; more finds "
            "smaller faces and takes longer.",
        ),
    ] = 320,
    execution_provider: ProviderOption = ProviderName.CPU,
    labels: LabelsOption = None,
    scaling: ScalingOption = None,
    architecture: ArchitectureOption = None,
    input_size: InputSizeOption = None,
) -> None:
    """Show expressions live in a window; comes with: pip install 'mien[live]'.

    Keys: q or Esc quits, r records, s takes a snapshot, m mirrors, space freezes, h shows the keys.
    Nothing is stored unless you ask.

    For example:

    mien live

    mien live 1 --size 1280x720 --record session.mp4 --table session.csv
    """
    if list_cameras:
        _print_cameras()
        return
    from mien.cli.console import warn
    from mien.live.session import Session, check_places, is_camera, open_live_model

    reading = reading_of(labels, scaling, architecture, input_size)
    size_px = _parsed_size(size)
    if size_px is not None and not is_camera(source):
        raise typer.BadParameter(f"is for cameras; {source} is none", param_hint="--size")
    files = wanted_files(table, segments, timeline)
    check_places(files, record, source)
    session = Session(
        source=source,
        classifier=open_live_model(model, reading, execution_provider.value),
        detector=detector.value,
        offline=offline,
        search_side_px=search_side,
        min_confidence=min_confidence,
        tta=tta.value,
        rotate=rotate.degrees,
        size_px=size_px,
        files=files,
        record=record,
        folder=snapshots,
        is_mirrored=mirror,
        half_life_s=half_life,
        lsl="network" if lsl_network else "machine" if lsl else "off",
    )
    with session.opened(warn) as run:
        warn(_HINT)
        try:
            run.run()
        finally:
            _print_summary(run)
    if run.n_failed:
        raise typer.Exit(1)


def _parsed_size(size: str | None) -> tuple[int, int] | None:
    if size is None:
        return None
    found = _SIZE.fullmatch(size)
    if found is None:
        raise typer.BadParameter("expected width and height, as 1280x720", param_hint="--size")
    return int(found[1]), int(found[2])


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
    from mien.live.session import list_cameras

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
