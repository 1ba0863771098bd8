"""Everything that a running service consists of, made once and closed once."""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from mien.errors import ServeError
from mien.serving.access import Gate
from mien.serving.admission import Admission
from mien.serving.engine import Engine
from mien.serving.folders import ServiceFolder
from mien.serving.jobs import Jobs
from mien.serving.live import LANE as LIVE_LANE
from mien.serving.live import LiveFrames
from mien.serving.memory import rest_now_and_then
from mien.serving.metrics import Metrics
from mien.serving.photos import LANE as PHOTO_LANE
from mien.serving.photos import Photos
from mien.serving.pool import Pool
from mien.serving.protocol import Doorkeeper
from mien.serving.settings import Settings

_MODEL_NAME = "model.onnx"

_log = logging.getLogger(__name__)


class Service:
    """The parts of a service.

    Args:
        settings: what it is started with.
        load: loads what recognises, given the metrics.

    Raises:
        ServeError: there is no place for its folder.
        ModelError, WeightsError, DetectorError, MissingExtraError: of ``load``.
    """

    def __init__(self, settings: Settings, load: Callable[[Metrics], Engine]) -> None:
        limits = settings.limits
        self.settings = settings
        """What it was started with."""
        self.metrics = Metrics()
        """What it counts."""
        self.gate = Gate(settings)
        """Who may ask."""
        self.doorkeeper = Doorkeeper(limits, self.metrics)
        """Connections."""
        self.folder = ServiceFolder(settings.folder)
        """Where its files are."""
        try:
            self.engine = load(self.metrics)
            """What recognises."""
            model = self._stored_model()
        except BaseException:
            self.folder.close()
            raise
        self.pool = Pool(
            settings.threads,
            (PHOTO_LANE, LIVE_LANE),
            lambda seconds: self.metrics.took("waiting", seconds),
        )
        """The threads that work on pictures."""
        self.admission = Admission(settings.queue, limits.waiting_bytes, settings.threads)
        """Room for requests with pictures."""
        self.photos = Photos(self.engine, self.pool, settings.threads, limits.picture_pixels)
        """Pictures."""
        self.live = LiveFrames(self.engine, self.pool, self.gate, limits, self.metrics)
        """Live connections."""
        self.jobs = Jobs(self.folder.path, model, self.engine.detector.name, limits)
        """Videos."""
        self.is_ending = False
        """Whether nothing new is accepted any more."""
        self.metrics.watch(
            queue_depth=lambda: self.admission.n_inside,
            connections=lambda: self.doorkeeper.n_connections,
            live_connections=lambda: self.live.n_connections,
            jobs=self.jobs.counts,
        )

    def _stored_model(self) -> Path:
        path = self.folder.path / _MODEL_NAME
        try:
            with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(self.engine.bundle)
        except OSError as error:
            raise ServeError(
                f"cannot write in {path.parent}: {error.strerror or error}; name another --folder"
            ) from error
        return path

    def start(self) -> None:
        """Begin to work; in the event loop."""
        self.jobs.start()
        self._resting = asyncio.create_task(
            rest_now_and_then(lambda: self.pool.n_taken, self.engine.rest), name="mien-rest"
        )

    async def close(self) -> None:
        """End all work and remove all files."""
        self._resting.cancel()
        await self.jobs.close()
        self.pool.close()
        self.folder.close()
