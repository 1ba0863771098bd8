"""What does the shards of a job: processes of this machine, or a cluster. Chosen by name.

An engine knows nothing of pictures. It is given shards and a function that makes a worker, and
gives back a report for every shard, whatever dies meanwhile.
"""

from mien.workflows.engines.engine import ENGINE_NAMES, Engine, EngineName, processors

__all__ = ["ENGINE_NAMES", "Engine", "EngineName", "open_engine", "processors"]


def open_engine(
    name: EngineName = "processes",
    *,
    workers: int | None = None,
    address: str | None = None,
) -> Engine:
    """The engine of a name; a context manager.

    Args:
        name: ``processes`` or ``ray``.
        workers: how many shards are done at a time; one for each processor where None.
        address: ``HOST:PORT`` of a Ray cluster that runs; this machine where None.

    Raises:
        ValueError: there is no such engine, or an address for one that has none.
        EngineError: it cannot be started.
        MissingExtraError: Ray is not installed.
    """
    if name not in ENGINE_NAMES:
        raise ValueError(f"expected an engine of {', '.join(ENGINE_NAMES)}, got {name!r}")
    if name == "ray":
        from mien.workflows.engines.ray_tasks import RayTasks

        return RayTasks(workers, address)
    if address is not None:
        raise ValueError("an address is for the engine ray")
    from mien.workflows.engines.processes import Processes

    return Processes(workers)
