"""Engines do every shard once, whatever dies; faults of the shards are told."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from mien.errors import EngineError, SourceError
from mien.workflows.attempts import GivenUpError, attempt, forget, forget_last_of_each
from mien.workflows.engines import open_engine
from mien.workflows.engines.processes import Processes


def make_squares() -> Callable[[int], tuple[int, int]]:
    return square


def square(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def make_mortal(folder: Path) -> Callable[[int], int]:
    return partial(die_once, folder)


def die_once(folder: Path, number: int) -> int:
    if number % 7 == 3:
        try:
            (folder / str(number)).touch(exist_ok=False)
        except FileExistsError:
            return number
        os._exit(9)
    return number


def make_slow() -> Callable[[float], float]:
    return wait


def wait(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def fail_to_make() -> Callable[[int], int]:
    raise SourceError("there is no model; name one")


def die_at_once() -> Callable[[int], int]:
    os._exit(3)


def make_failing() -> Callable[[int], int]:
    return fail


def fail(number: int) -> int:
    raise SourceError(f"shard {number} is bad")


def test_every_shard_is_done_by_several_processes() -> None:
    with open_engine("processes", workers=2) as engine:
        assert engine.n_workers == 2
        found = list(engine.run(range(50), make_squares))
        assert sorted(number for number, _ in found) == [number**2 for number in range(50)]
        processes = {process for _, process in found}
        assert len(processes) == 2 and os.getpid() not in processes
        # The same workers go on.
        again = list(engine.run(range(10), make_squares))
        assert {process for _, process in again} <= processes
        assert list(engine.run([], make_squares)) == []


def test_reports_come_in_order_where_that_is_wanted() -> None:
    with Processes(2, in_order=True) as engine:
        seconds = [0.3, *[0.0] * 40, 0.2, *[0.0] * 3]
        assert list(engine.run(seconds, make_slow)) == seconds


def test_shards_are_taken_as_they_are_needed() -> None:
    given = []

    def shards() -> object:
        for number in range(1000):
            given.append(number)
            yield number

    with Processes(2, in_order=True) as engine:
        reports = engine.run(shards(), make_squares)
        for _ in range(5):
            next(reports)
        assert len(given) <= 5 + 2 * 2 * 2 + 2
        reports.close()


@pytest.mark.parametrize("in_order", [False, True])
def test_shards_of_dead_processes_are_done_again(tmp_path: Path, in_order: bool) -> None:
    with Processes(2, in_order=in_order) as engine:
        found = list(engine.run(range(30), partial(make_mortal, tmp_path)))
    assert sorted(found) == list(range(30))
    assert len(list(tmp_path.iterdir())) == 4


def test_what_workers_raise_is_raised_here() -> None:
    with Processes(2) as engine:
        with pytest.raises(SourceError, match="there is no model"):
            list(engine.run([1, 2], fail_to_make))
        with pytest.raises(SourceError, match="shard 1 is bad"):
            list(engine.run([1], make_failing))
        with pytest.raises(EngineError, match=r"end before they begin \(exit code 3\)"):
            list(engine.run([1, 2], die_at_once))


def test_wrong_engines_are_refused() -> None:
    with pytest.raises(ValueError, match="an engine of processes, ray"):
        open_engine("threads")
    with pytest.raises(ValueError, match="for the engine ray"):
        open_engine("processes", address="a:1")
    with pytest.raises(ValueError, match="at least one worker"):
        Processes(0)


def die_in(folder: Path, position: int) -> None:
    """A try of shard 3 whose process ends at a position."""
    process = os.fork()
    if not process:
        with attempt(folder, 3) as trying:
            trying.at(position)
            os._exit(0)
    os.waitpid(process, 0)


def test_a_position_that_ends_two_tries_is_passed_over(tmp_path: Path) -> None:
    for position in (5, 7, 5):
        with attempt(tmp_path, 4) as trying:
            assert trying.passed_over == {}
        die_in(tmp_path, position)
    with attempt(tmp_path, 3) as trying:
        assert trying.passed_over == {5: "crashed"}
    assert list(tmp_path.iterdir()) == []


def test_tries_that_we_end_do_not_count(tmp_path: Path) -> None:
    die_in(tmp_path, 5)
    die_in(tmp_path, 5)
    forget(tmp_path, 3)
    with pytest.raises(KeyboardInterrupt), attempt(tmp_path, 3) as trying:
        assert trying.passed_over == {}
        raise KeyboardInterrupt
    assert len(list(tmp_path.iterdir())) == 1


def test_the_last_try_of_a_job_that_ended_does_not_count(tmp_path: Path) -> None:
    for _ in range(3):
        die_in(tmp_path, 5)
    forget_last_of_each(tmp_path)
    with attempt(tmp_path, 3) as trying:
        assert trying.passed_over == {5: "crashed"}
    die_in(tmp_path, 5)
    forget_last_of_each(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_shard_that_never_gets_on_is_given_up(tmp_path: Path) -> None:
    for position in range(20):
        die_in(tmp_path, position)
    with pytest.raises(GivenUpError), attempt(tmp_path, 3):
        pass
