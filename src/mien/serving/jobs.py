"""Video jobs: their states, their folders, and the process that works on one of them at a time.

A video may crash a decoder, take all memory or never end; so it is worked on in a process of its
own, and whatever becomes of that one is a failed job with a reason, nothing else. Everything here
runs in the event loop.
"""

import asyncio
import json
import logging
import math
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mien.serving.job_process import FILES, VIDEO_NAME
from mien.serving.problems import Problem, busy
from mien.serving.settings import TOKEN_VARIABLE, Limits

State = Literal["receiving", "waiting", "running", "done", "failed"]
STATES: tuple[State, ...] = ("waiting", "running", "done", "failed")
"""What a job can be once its video is here."""

_ID_BYTES = 16
_RETRY_S = 30
_LONGEST_LINE = 65_536
_LONGEST_REASON = 300
_OUTPUT_FACTOR = 8
_UNNAMED = "video"
"""What results call a video of which the client told no name."""
_LEAST_OUTPUT_BYTES = 1_000_000_000

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Job:
    """One video."""

    id: str
    """128 random bits in hexadecimal digits."""
    folder: Path
    """Its own folder, mode 0700."""
    options: Mapping[str, Any]
    """``min_confidence`` and ``tta``."""
    state: State = "receiving"
    """Where it is."""
    source: str = ""
    """What the client calls the file."""
    frames_done: int = 0
    """Frames so far."""
    frames_total: int | None = None
    """As the file announces it."""
    reason: str | None = None
    """Why it failed."""
    process: asyncio.subprocess.Process | None = None
    """What works on it."""
    is_cancelled: bool = False
    """Whether somebody deleted it."""
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)
    """When its results go."""

    @property
    def video(self) -> Path:
        """The upload; it is there until the work ends."""
        return self.folder / VIDEO_NAME

    @property
    def files(self) -> list[str]:
        """What can be fetched."""
        if self.state != "done":
            return []
        return [name for name in FILES if (self.folder / name).is_file()]

    def as_dict(self) -> dict[str, Any]:
        """What clients are told."""
        return {
            "id": self.id,
            "state": self.state,
            "source": self.source,
            "frames_done": self.frames_done,
            "frames_total": self.frames_total,
            "reason": self.reason,
            "files": self.files,
        }


class Jobs:
    """All video jobs of a service.

    Args:
        folder: where their folders are made.
        model: the ONNX file.
        detector: name of the detector, which is on this machine.
        limits: what a job may take.
    """

    def __init__(self, folder: Path, model: Path, detector: str, limits: Limits) -> None:
        self._folder = folder
        self._model = model
        self._detector = detector
        self._limits = limits
        self._jobs: dict[str, Job] = {}
        self._waiting: asyncio.Queue[Job] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work on what comes."""
        self._task = asyncio.create_task(self._work_on_all(), name="mien-jobs")

    async def close(self) -> None:
        """End the work at once and remove everything."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for job in list(self._jobs.values()):
            self._forget(job)

    def counts(self) -> dict[str, int]:
        """How many jobs are in which of `STATES`."""
        return {state: self._in(state) for state in STATES}

    def begin(self, options: Mapping[str, Any]) -> Job:
        """Take a place for a video that is about to come.

        Raises:
            Problem: 503, there is none.
        """
        ahead = self._in("receiving") + self._in("waiting")
        # One that comes may be worked on at once where nothing else is.
        room = self._limits.waiting_videos + (0 if self._in("running") else 1)
        if ahead >= room:
            raise busy("as many videos wait as may; come back later", _RETRY_S)
        job = Job(secrets.token_hex(_ID_BYTES), Path(), options)
        job.folder = self._folder / job.id
        job.folder.mkdir(mode=0o700)
        self._jobs[job.id] = job
        return job

    def submit(self, job: Job) -> None:
        """The video is here."""
        job.state = "waiting"
        self._waiting.put_nowait(job)

    def find(self, job_id: str) -> Job:
        """A job by its id.

        Raises:
            Problem: 404, there is none, or not any more.
        """
        job = self._jobs.get(job_id)
        if job is None or job.state == "receiving":
            raise Problem(404, "no-such-video", "no video has this id, or it was deleted")
        return job

    def delete(self, job: Job) -> None:
        """End the work on a video and remove all of it."""
        job.is_cancelled = True
        if job.process is not None and job.process.returncode is None:
            with suppress(ProcessLookupError):
                job.process.kill()
        self._forget(job)

    def _in(self, state: State) -> int:
        return sum(job.state == state for job in self._jobs.values())

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        if job.timer is not None:
            job.timer.cancel()
        shutil.rmtree(job.folder, ignore_errors=True)

    async def _work_on_all(self) -> None:
        while True:
            job = await self._waiting.get()
            if job.is_cancelled:
                continue
            try:
                job.reason = await self._work_on(job)
            except OSError as error:
                job.reason = f"no process could be started: {error.strerror or error}"
            except Exception as error:  # whatever it is, the next video is not to wait for ever
                _log.exception("listening to a video job failed")
                job.reason = f"the work failed ({type(error).__name__})"
            finally:
                await self._end_process(job)
            self._end(job)

    def _end(self, job: Job) -> None:
        if job.is_cancelled:
            shutil.rmtree(job.folder, ignore_errors=True)
            return
        job.state = "done" if job.reason is None else "failed"
        if job.reason is None:
            job.video.unlink(missing_ok=True)
        else:
            _log.warning("a video job failed: %s", job.reason)
            shutil.rmtree(job.folder, ignore_errors=True)
        loop = asyncio.get_running_loop()
        job.timer = loop.call_later(self._limits.kept_s, self._forget, job)
        ended = [one for one in self._jobs.values() if one.state in ("done", "failed")]
        for oldest in ended[: max(0, len(ended) - self._limits.kept_videos)]:
            self._forget(oldest)

    async def _work_on(self, job: Job) -> str | None:
        """Have a process work on a video; None, or the reason why it failed."""
        size = job.video.stat().st_size
        wanted = {
            **job.options,
            "source": job.source or _UNNAMED,
            "model": str(self._model),
            "detector": self._detector,
            "max_pixels": self._limits.picture_pixels,
            "max_frames": self._limits.video_frames,
            "cpu_s": math.ceil(self._limits.video_cpu_s),
            "memory_bytes": self._limits.video_memory_bytes,
            "file_bytes": max(_OUTPUT_FACTOR * size, _LEAST_OUTPUT_BYTES),
        }
        # The service's token is none of its business, and it makes no other files.
        environment = {key: value for key, value in os.environ.items() if key != TOKEN_VARIABLE}
        environment |= {
            "MALLOC_ARENA_MAX": "2",
            "TMPDIR": str(job.folder),
            "PYTHONPATH": os.pathsep.join(os.path.abspath(place) for place in sys.path),
        }
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # nothing in the folder is taken for a module
                "-m",
                "mien.serving.job_process",
                cwd=job.folder,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LONGEST_LINE,
            )
        )
        try:
            process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            with suppress(OSError):  # else nobody would end the process that is being started
                job.process = await starting
            raise
        # In one step: who reads "running" finds the process, and who deletes the job ends it.
        job.process, job.state = process, "running"
        if job.is_cancelled:  # while the process was being started
            return None
        try:
            async with asyncio.timeout(self._limits.video_s):
                return await _listen(job, process, wanted)
        except TimeoutError:
            return f"the work took longer than {self._limits.video_s:g} s"

    async def _end_process(self, job: Job) -> None:
        process = job.process
        if process is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        job.process = None


async def _listen(
    job: Job, process: asyncio.subprocess.Process, wanted: Mapping[str, Any]
) -> str | None:
    assert process.stdin is not None and process.stdout is not None  # noqa: S101  (both pipes)
    with suppress(ConnectionError):
        process.stdin.write(json.dumps(wanted).encode() + b"\n")
        await process.stdin.drain()
    while line := await process.stdout.readline():
        if not line.endswith(b"\n"):
            break  # it ended in the middle of a line
        told = json.loads(line)
        job.frames_done = told.get("frames", job.frames_done)
        job.frames_total = told.get("total", job.frames_total)
        if "failed" in told:
            return str(told["failed"])[:_LONGEST_REASON]
        if told.get("done"):
            return None
    return _how_it_ended(await process.wait())


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"its process ended with code {code} before the video did"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    more = " (its limit of processor time)" if name == "SIGXCPU" else ""
    return f"its process was ended by {name}{more}"
