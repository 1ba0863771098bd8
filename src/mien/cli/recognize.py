"""``mien recognize``: expressions in photos and videos, and in folders of them."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.datasets import (
    DatasetOption,
    EngineName,
    EngineOption,
    ManifestOption,
    RayAddressOption,
    RetryFailedOption,
    SampleRateOption,
    ShardSecondsOption,
    ShardSizeOption,
    TimeoutOption,
    recognize_into,
    refuse_without_dataset,
)
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
    RotateOption,
    Tta,
    TtaOption,
    wanted_files,
)


def recognize(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE",
            help="Photos, videos, folders of them, and addresses of videos and streams.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON per picture or frame.")
    ] = False,
    table: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Write a table, a row per face: .csv, .parquet, or .jsonl or .json (a line per "
            "frame). This, --segments and --timeline may be repeated; files that are there are "
            "replaced.",
        ),
    ] = None,
    segments: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Write when each face of a video showed what: .csv, .json, .vtt (subtitles), .eaf "
            "(ELAN), .boris or .boris.csv, .observer.csv.",
        ),
    ] = None,
    timeline: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Write a page about a video: .html."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|FILE",
            help="Write annotated copies: a folder, or a file for one picture or video (.mp4). "
            "Files that are there are replaced, but never what is recognised.",
        ),
    ] = None,
    detector: DetectorOption = DetectorName.AUTO,
    model: Annotated[str, typer.Option(metavar="MODEL", help=MODEL_HELP)] = "default",
    offline: OfflineOption = False,
    min_confidence: MinConfidenceOption = 0.0,
    tta: TtaOption = Tta.NONE,
    half_life: HalfLifeOption = None,
    search_side: Annotated[
        int | None,
        typer.Option(
            min=64,
            max=65_535,  # a JPEG's longest side
            metavar="PX",
            help="Longest side to which pictures are reduced to search for faces; more finds "
            "smaller faces and takes longer. [default: 1280; videos: half of it, 320 to 640]",
        ),
    ] = None,
    rotate: RotateOption = RotateName.AUTO,
    frame_rate: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=1000.0,
            metavar="HZ",
            help="Take the pictures of a folder as the frames of one video, at this rate.",
        ),
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Refuse larger pictures and frames; with --dataset, of more than 50 million "
            "where nothing is said. [default: 100 million; 67 for videos]",
        ),
    ] = None,
    execution_provider: ProviderOption = ProviderName.CPU,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Processes that recognise many pictures. [default: one per processor]",
        ),
    ] = None,
    dataset: DatasetOption = None,
    engine: EngineOption = EngineName.PROCESSES,
    ray_address: RayAddressOption = None,
    manifest: ManifestOption = None,
    shard_size: ShardSizeOption = None,
    shard_s: ShardSecondsOption = None,
    sample_rate: SampleRateOption = None,
    timeout: TimeoutOption = None,
    retry_failed: RetryFailedOption = False,
    labels: LabelsOption = None,
    scaling: ScalingOption = None,
    architecture: ArchitectureOption = None,
    input_size: InputSizeOption = None,
) -> None:
    """Recognise the expressions in photos and videos; prints a table.

    What cannot be read is named on stderr, the others are done all the same, and the exit code
    is 1. A picture or video without a face is no failure.

    For example:

    mien recognize photos/ --table faces.csv --out annotated/

    mien recognize talk.mp4 --out shown.mp4 --segments talk.vtt --timeline talk.html
    """
    from mien.allocator import keep_freed_memory
    from mien.cli.console import progress_bar, terminable, warn
    from mien.cli.listening import Terminal
    from mien.workflows import recognizing
    from mien.workflows.engines import processors
    from mien.workflows.models import open_model

    refuse_without_dataset(
        dataset,
        engine=engine,
        ray_address=ray_address,
        manifest=manifest,
        shard_size=shard_size,
        shard_s=shard_s,
        sample_rate=sample_rate,
        timeout=timeout,
        retry_failed=retry_failed,
        not_table=table,
        not_segments=segments,
        not_timeline=timeline,
        not_out=out,
        not_frame_rate=frame_rate,
    )
    if not sources and manifest is None:
        raise typer.BadParameter("name a photo, a video or a folder", param_hint="SOURCE")
    reading = reading_of(labels, scaling, architecture, input_size)
    if dataset is not None:
        recognize_into(
            dataset,
            sources or [],
            as_json=as_json,
            open_classifier=lambda: open_model(model, reading).classifier(),
            detector=detector.value,
            engine=engine.value,
            ray_address=ray_address,
            workers=workers,
            manifest=manifest,
            shard_size=shard_size,
            shard_s=shard_s,
            retry_failed=retry_failed,
            sample_rate_hz=sample_rate,
            timeout_s=timeout,
            min_confidence=min_confidence,
            tta=tta.value,
            rotate=rotate.degrees,
            half_life_s=half_life,
            search_side_px=search_side,
            max_pixels=max_pixels,
            offline=offline,
        )
        return
    sources = sources or []
    if frame_rate is not None and not any(Path(source).is_dir() for source in sources):
        raise typer.BadParameter("is for a folder of pictures", param_hint="--frame-rate")
    try:
        planned = recognizing.plan(
            sources,
            files=wanted_files(table, segments, timeline),
            out=out,
            frame_rate_hz=frame_rate,
            on_problem=warn,
            on_left_out=warn,
        )
    except recognizing.OneVideoError as error:
        raise typer.BadParameter(str(error), param_hint=f"--{error.what}") from error
    failures = len(planned.problems)
    if planned.inputs:
        n_pictures = 0 if planned.n_videos else len(planned.inputs)
        keep_freed_memory()
        terminal = Terminal(as_json=as_json, names=planned.names)
        # A video has a bar of its own, and two would fight for the terminal.
        many = n_pictures > 4 and terminal.is_quiet
        with closing(terminal):
            with terminable(), progress_bar("recognizing", shown=many) as show, terminal:
                terminal.show = show
                job = recognizing.Job(
                    lambda: open_model(
                        model, reading, execution_provider.value, threads=planned.threads
                    ).classifier(),
                    detector.value,
                    terminal,
                    offline=offline,
                    search_side_px=search_side,
                    min_confidence=min_confidence,
                    tta=tta.value,
                    rotate=rotate.degrees,
                    max_pixels=max_pixels,
                    half_life_s=half_life,
                    exact_tilt=as_json,
                    workers=workers or processors(),
                )
                failures += job.run(planned)
            terminal.print_pictures()
    if failures:
        raise typer.Exit(1)
