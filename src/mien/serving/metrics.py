"""What a service counts, in Prometheus's text format."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

STAGES = ("waiting", "decoding", "detecting", "classifying")
"""What a picture goes through."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Media type of `Metrics.text`."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The counters of one service; may be used by all threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        """What holds them."""
        self._requests = Counter(
            "mien_requests", "Requests answered.", ("route", "code"), registry=self.registry
        )
        self._stages = Histogram(
            "mien_stage_seconds",
            "Seconds of one picture or live frame in a stage.",
            ("stage",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._by_stage = {stage: self._stages.labels(stage) for stage in STAGES}
        self._refusals = Counter(
            "mien_refusals", "Requests refused for want of room.", ("what",), registry=self.registry
        )
        for what in ("picture", "video", "live", "connection"):
            self._refusals.labels(what)
        self.faces = Counter("mien_faces", "Faces found.", registry=self.registry)
        self.live_frames = Counter(
            "mien_live_frames", "Live frames answered.", registry=self.registry
        )
        self.live_dropped = Counter(
            "mien_live_dropped_frames",
            "Live frames that a newer one took the place of.",
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)

    def watch(
        self,
        *,
        queue_depth: Callable[[], float],
        connections: Callable[[], float],
        live_connections: Callable[[], float],
        jobs: Callable[[], dict[str, int]],
    ) -> None:
        """Ask these for what they hold whenever metrics are read."""
        for name, what, ask in (
            ("mien_queue_depth", "Requests with pictures that hold a place.", queue_depth),
            ("mien_connections", "Open connections.", connections),
            ("mien_live_connections", "Live connections.", live_connections),
        ):
            Gauge(name, what, registry=self.registry).set_function(ask)
        self.registry.register(_Jobs(jobs))

    def answered(self, route: str, code: int) -> None:
        """A request was answered."""
        self._requests.labels(route, str(code)).inc()

    def refused(self, what: str) -> None:
        """There was no room for ``picture``, ``video``, ``live`` or ``connection``."""
        self._refusals.labels(what).inc()

    def took(self, stage: str, seconds: float) -> None:
        """A picture was in one of `STAGES` for so long."""
        self._by_stage[stage].observe(seconds)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Measure what the block takes."""
        begin_s = perf_counter()
        yield
        self.took(stage, perf_counter() - begin_s)

    def text(self) -> bytes:
        """All of it."""
        return generate_latest(self.registry)


class _Jobs(Collector):
    """Video jobs by state, counted when asked."""

    def __init__(self, jobs: Callable[[], dict[str, int]]) -> None:
        self._jobs = jobs

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One gauge with a value per state."""
        family = GaugeMetricFamily("mien_jobs", "Video jobs by state.", labels=["state"])
        for state, number in self._jobs().items():
            family.add_metric([state], number)
        yield family
