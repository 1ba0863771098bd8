"""A Ray cluster, or Ray on this machine. The one file that imports Ray.

A shard is a Ray task, tried again for as long as its process or machine dies: Ray chooses the
machine, starts the processes, notices deaths and nodes that come. Each process keeps what it
loaded for the next task. Ray Data over the same shards was rejected (LOG.md). Nothing is sent to
Ray's makers.
"""

import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from mien.errors import EngineError, MienError, needs_extra
from mien.workflows.engines.engine import MakeWorker, Report, Shard, processors

_AHEAD = 2
"""Shards given to Ray for each processor: the next one waits where the last one ends."""
_MORE_NODES_S = 10.0
"""How often the cluster is asked how large it is now."""
_KNOCK_S = 10.0
"""How long a machine may take to answer that it is there."""
_OBJECT_STORE_BYTES = 100 << 20
"""Shared memory of a Ray that we start: models and reports are small."""

_workers: dict[str, Any] = {}
"""In a process of Ray's: what does shards, by job."""
_loading = threading.Lock()


class RayTasks:
    """An `Engine` of Ray tasks.

    Args:
        workers: shards that are done at a time; one for each processor of the cluster where None.
        address: ``HOST:PORT`` of a running cluster; a new Ray on this machine where None.

    Raises:
        ValueError: fewer than one worker.
        EngineError: there is no cluster at the address.
        MissingExtraError: Ray is not installed.
    """

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"expected at least one worker, got {workers}")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        with needs_extra("ray"):
            import ray
        # Ray says on stderr what it does of its own accord, such as making a token.
        logging.getLogger("ray").setLevel(logging.ERROR)
        self._ray: Any = ray
        self._workers = workers
        here: dict[str, Any] = {
            "num_cpus": workers or processors(),
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
        }
        if address:
            _knock(address)
        on_sigterm = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(
                **({"address": address} if address else here),
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
            )
            if threading.current_thread() is threading.main_thread():
                # Ray puts a handler of its own there, which exits with code 15.
                signal.signal(signal.SIGTERM, on_sigterm)
        except Exception as error:  # Ray's and gRPC's own, without a common base
            where = f"at {address}" if address else "on this machine"
            reason = str(error).strip().split("\n")[0] or type(error).__name__
            raise EngineError(f"no Ray can be reached {where}: {reason}") from error
        self._asked_s = -_MORE_NODES_S
        self._n_processors = 1

    @property
    def n_workers(self) -> int:
        """How many shards are done at a time; grows with the cluster."""
        if self._workers is not None:
            return self._workers
        now_s = time.monotonic()
        if now_s - self._asked_s > _MORE_NODES_S:
            self._asked_s = now_s
            self._n_processors = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        return self._n_processors

    def run(
        self, shards: Iterable[Shard], make_worker: MakeWorker[Shard, Report]
    ) -> Iterator[Report]:
        """Do shards; see `Engine.run`."""
        ray = self._ray
        made = ray.put(make_worker)
        # Forever: a limit would end the job with the machine that is lost once too often.
        do = ray.remote(num_cpus=1, max_retries=-1)(_do)
        job = uuid.uuid4().hex
        waiting = iter(shards)
        given: list[Any] = []
        is_over = False
        try:
            while True:
                while not is_over and len(given) < self.n_workers * _AHEAD:
                    shard = next(waiting, None)
                    if shard is None:
                        is_over = True
                    else:
                        given.append(do.remote(job, made, shard))
                if not given:
                    return
                ready, given = ray.wait(given, num_returns=1, timeout=_MORE_NODES_S)
                for one in ready:
                    yield self._result_of(one)
        finally:
            for one in given:
                ray.cancel(one, force=True)

    def _result_of(self, one: Any) -> Any:
        try:
            return self._ray.get(one)
        except self._ray.exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, MienError):
                raise type(cause)(str(cause)) from error
            raise EngineError(f"a worker failed: {cause or error}") from error
        except self._ray.exceptions.RayError as error:
            reason = str(error).strip().split("\n")[0]
            raise EngineError(f"Ray gives up: {reason}; give the command again") from error

    def __enter__(self) -> Self:
        """The engine itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the cluster, or end the Ray that was started."""
        self._ray.shutdown()


def _knock(address: str) -> None:
    """Find out at once whether anybody listens there, which Ray needs more than a minute for.

    Raises:
        EngineError: nobody does.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return  # ``auto`` and the like, which Ray knows
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EngineError(f"no Ray can be reached at {address}: {reason}") from error


def _do(job: str, make_worker: Any, shard: Any) -> Any:
    """In a process of Ray's: do a shard with what was loaded for the job before."""
    with _loading:
        if job not in _workers:
            _workers.clear()
            _workers[job] = make_worker()
    return _workers[job](shard)
