"""``mien serve``: a service over HTTP; every option is an environment variable, too."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mien.cli.recognition_options import DetectorName

_PREFIX = "MIEN_SERVE_"
_UNITS = {"mb": "MB", "megapixels": "MP", "minutes": "MIN", "seconds": "S"}
_MOST = {"MB": 1_000_000.0, "MP": 10_000.0, "MIN": 100_000.0, "S": 86_400.0}
"""Largest value of each unit; the smallest is a thousandth."""
_MOST_N = 1_000_000
_VALUES = {"host": "ADDRESS", "port": "PORT"} | dict.fromkeys(
    (
        "threads",
        "queue",
        "max-pictures",
        "max-frames",
        "max-waiting-videos",
        "max-connections",
        "max-live",
    ),
    "N",
)


def _option(flag: str, help_text: str, **more: Any) -> Any:
    """An option with its environment variable, as ``MIEN_SERVE_MAX_LIVE`` of ``--max-live``."""
    name = flag.removeprefix("--").split("/")[0]
    variable = _PREFIX + name.upper().replace("-", "_")
    value = _VALUES.get(name) or _UNITS.get(name.rsplit("-", 1)[-1])
    if value is not None:
        more.setdefault("metavar", value)
    if value in _MOST:
        more |= {"min": 0.001, "max": _MOST[value]}
    elif value == "N":
        more = {"min": 1, "max": _MOST_N} | more
    return typer.Option(flag, envvar=variable, show_envvar=False, help=help_text, **more)


def serve(
    host: Annotated[
        str,
        _option("--host", "Address to listen at; others than this machine's own need a token."),
    ] = "127.0.0.1",
    port: Annotated[
        int, _option("--port", "Port to listen at; 0: any that is free.", min=0, max=65535)
    ] = 7890,
    model: Annotated[
        str, _option("--model", "As MODEL of the other commands.", metavar="MODEL")
    ] = "default",
    detector: Annotated[
        DetectorName, _option("--detector", "As of `mien recognize`.")
    ] = DetectorName.AUTO,
    offline: Annotated[
        bool, _option("--offline", "Never fetch model files from the network.")
    ] = False,
    threads: Annotated[
        int, _option("--threads", "Pictures that are worked on at the same time.")
    ] = 2,
    queue: Annotated[
        int, _option("--queue", "Requests with pictures held at a time; more get 503.")
    ] = 64,
    token_file: Annotated[
        Path | None,
        _option(
            "--token-file",
            "A file with the token that clients must show; or set MIEN_SERVE_TOKEN.",
            metavar="FILE",
        ),
    ] = None,
    no_auth: Annotated[
        bool, _option("--no-auth", "Let everybody in who can reach the address.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        _option(
            "--allow-host",
            "A name by which clients call the service. May be repeated.",
            metavar="NAME",
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        _option(
            "--allow-origin",
            "Pages elsewhere that may use it, as https://example.org. May be repeated.",
            metavar="ORIGIN",
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None, _option("--tls-cert", "Certificate, PEM.", metavar="FILE")
    ] = None,
    tls_key: Annotated[Path | None, _option("--tls-key", "Its key, PEM.", metavar="FILE")] = None,
    root_path: Annotated[
        str,
        _option("--root-path", "Prefix that a proxy takes off, as /faces.", metavar="PATH"),
    ] = "",
    folder: Annotated[
        Path | None,
        _option("--folder", "Where videos lie while they are worked on.", metavar="DIR"),
    ] = None,
    export: Annotated[
        Path | None,
        _option(
            "--export",
            "Write the page that recognises in visitors' browsers, for any static host, and end.",
            metavar="DIR",
        ),
    ] = None,
    max_body_mb: Annotated[float, _option("--max-body-mb", "Pictures of one request.")] = 20,
    max_video_mb: Annotated[float, _option("--max-video-mb", "One video.")] = 500,
    max_megapixels: Annotated[
        float, _option("--max-megapixels", "One picture or frame, by its header.")
    ] = 25,
    max_pictures: Annotated[int, _option("--max-pictures", "Pictures of one request.")] = 32,
    max_frames: Annotated[int, _option("--max-frames", "Frames of one video.")] = 20_000,
    max_minutes: Annotated[float, _option("--max-minutes", "Work on one video.")] = 30,
    max_cpu_minutes: Annotated[
        float, _option("--max-cpu-minutes", "Processor time of the same.")
    ] = 60,
    max_video_memory_mb: Annotated[
        float, _option("--max-video-memory-mb", "Memory of the same.")
    ] = 2000,
    max_waiting_videos: Annotated[
        int, _option("--max-waiting-videos", "Videos that wait while one is worked on.", min=0)
    ] = 4,
    keep_minutes: Annotated[
        float, _option("--keep-minutes", "How long a video's results are kept.")
    ] = 15,
    max_connections: Annotated[int, _option("--max-connections", "Open connections.")] = 64,
    max_live: Annotated[int, _option("--max-live", "Live connections.")] = 8,
    header_seconds: Annotated[
        float, _option("--header-seconds", "Time for a header or a first message.")
    ] = 10,
    body_seconds: Annotated[
        float, _option("--body-seconds", "Time for a body, and between live frames.")
    ] = 60,
    max_waiting_mb: Annotated[
        float, _option("--max-waiting-mb", "Bodies with pictures in memory, all together.")
    ] = 256,
) -> None:
    """Serve recognition over HTTP: photos, videos, live; comes with: pip install 'mien[serve]'.

    At its address is a page to open: camera, photos and videos, in the browser itself or here.
    Every option can be set as an environment variable: MIEN_SERVE_PORT for --port. The token
    never stands on the command line, where other users can read it.

    For example:

    mien serve

    mien serve --export site

    MIEN_SERVE_TOKEN=$(cat token) mien serve --host 0.0.0.0 --allow-host faces.example.org
    """
    import os

    from mien.cli.console import warn
    from mien.errors import needs_extra
    from mien.serving.settings import (
        MEGABYTE,
        TOKEN_VARIABLE,
        Limits,
        Settings,
        read_token,
        whole_units,
    )

    if export is not None:
        from mien.workflows.page import export_page

        print(export_page(export, model, offline=offline))
        return
    # Taken out, so that nothing that this process starts inherits it.
    token = read_token(token_file, os.environ.pop(TOKEN_VARIABLE, None))
    try:
        settings = Settings(
            host=host,
            port=port,
            model=model,
            detector=detector.value,
            offline=offline,
            threads=threads,
            queue=queue,
            token=token,
            no_auth=no_auth,
            allowed_hosts=tuple(allow_host or ()),
            allowed_origins=tuple(allow_origin or ()),
            tls_cert=tls_cert,
            tls_key=tls_key,
            root_path=root_path,
            folder=folder,
            limits=Limits(
                body_bytes=whole_units(max_body_mb, MEGABYTE),
                video_bytes=whole_units(max_video_mb, MEGABYTE),
                picture_pixels=whole_units(max_megapixels, 1_000_000),
                pictures=max_pictures,
                video_frames=max_frames,
                video_s=60.0 * max_minutes,
                video_cpu_s=60.0 * max_cpu_minutes,
                video_memory_bytes=whole_units(max_video_memory_mb, MEGABYTE),
                waiting_videos=max_waiting_videos,
                kept_s=60.0 * keep_minutes,
                connections=max_connections,
                live=max_live,
                header_s=header_seconds,
                body_s=body_seconds,
                waiting_bytes=whole_units(max_waiting_mb, MEGABYTE),
            ),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    with needs_extra("serve"):
        from mien.serving.server import serve as run
    raise typer.Exit(run(settings, warn))
