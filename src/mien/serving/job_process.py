"""The process that works on one video: ``python -m mien.serving.job_process`` in its folder.

One line of JSON comes on stdin and says what to do; lines of JSON on stdout say how far it is. The
process ends itself where stdin ends, for then the service is gone. Its limits of memory, processor
time and size of files are set by itself, before it reads a byte of the video.
"""

import errno
import json
import os
import resource
import signal
import sys
import threading
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

VIDEO_NAME = "the file"
"""The upload, in the folder; messages begin with it: "the file breaks off at 2.40 s"."""
FILES = {
    "faces.jsonl": "application/jsonl",
    "faces.csv": "text/csv; charset=utf-8",
    "segments.vtt": "text/vtt; charset=utf-8",
    "annotated.mp4": "video/mp4",
}
"""What is made of it, with media types."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of errors that say that a file has no room."""

_NICENESS = 10
_REPORT_EVERY = 10


def main() -> None:
    """Work on the video that stdin speaks of, and end the process."""
    wanted = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_service, daemon=True).start()
    os.nice(_NICENESS)
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The hard limit is above: SIGXCPU comes first, and has a name.
    seconds = max(1, round(wanted["cpu_s"]))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal is the service's
    n_bytes = int(wanted["file_bytes"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))
    try:
        _work(wanted)
    except Exception as error:
        from mien.errors import MienError

        if _is_want_of_memory(error):
            _report(failed="the video needs more memory than a job may take")
        elif _is_want_of_room(error):
            _report(failed="the disk of the service is full, or the results are too large")
        elif isinstance(error, MienError):
            _report(failed=str(error))
        else:
            import traceback

            traceback.print_exc()
            _report(failed=f"the work failed ({type(error).__name__})")
    sys.stdout.flush()
    # Threads of libraries have nothing more to say.
    os._exit(0)


def _work(wanted: dict[str, Any]) -> None:
    import cv2

    from mien.errors import VideoError
    from mien.outputs.tables import Table
    from mien.recognition.recognizer import Recognizer
    from mien.recognition.video_recognizer import VideoRecognizer
    from mien.results import FrameResult
    from mien.sources.files import VideoFile
    from mien.workflows.files import WantedFiles
    from mien.workflows.videos import VideoRun

    cv2.setNumThreads(1)
    recognizer = Recognizer(
        Path(wanted["model"]),
        wanted["detector"],
        offline=True,
        threads=1,
        min_confidence=wanted["min_confidence"],
        tta=wanted["tta"],
    )
    source = VideoFile(VIDEO_NAME, max_pixels=wanted["max_pixels"])
    _limit_memory(wanted["memory_bytes"])
    most = wanted["max_frames"]
    n_frames = 0

    def count(result: FrameResult) -> None:
        nonlocal n_frames
        n_frames += 1
        if n_frames > most:
            raise VideoError(f"the video has more than the limit of {most:,} frames")
        if n_frames % _REPORT_EVERY == 0:
            _report(frames=n_frames)

    class NamedTable(Table):
        """Names the video as the client does, not as it is called in this folder."""

        def add(self, result: FrameResult) -> None:
            super().add(replace(result, source=wanted["source"]))

    with ExitStack() as stack:
        keys = recognizer.classifier.label_set.keys
        tables = [
            stack.enter_context(NamedTable(Path(name), keys, of_videos=True))
            for name in FILES
            if name.startswith("faces")
        ]
        run = VideoRun(
            source,
            VideoRecognizer(recognizer),
            copy=Path("annotated.mp4"),
            files=WantedFiles(segments=(Path("segments.vtt"),)),
            tables=tables,
        )
        _report(frames=0, total=run.info.n_frames)
        run.run(on_result=count)
    _report(frames=n_frames, done=True)


def _limit_memory(n_bytes: int) -> None:
    """Let the process grow by so much beyond what its libraries took."""
    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + n_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _is_want_of_memory(error: Exception) -> bool:
    """Whether memory ran out; threads need some, too, and say so in words only."""
    is_enomem = isinstance(error, OSError) and error.errno == errno.ENOMEM
    return is_enomem or isinstance(error, MemoryError) or "can't start new thread" in str(error)


def _is_want_of_room(error: BaseException | None) -> bool:
    """Whether there was no room for a file; errors of mien's say so of their cause."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__
    return False


def _report(**members: Any) -> None:
    sys.stdout.write(json.dumps(members) + "\n")
    sys.stdout.flush()


def _end_with_service() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
