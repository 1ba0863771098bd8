"""Ctrl-C at a moment of our choosing."""

import os
import signal
import sys
import threading

import pytest

from mien.interrupts import deferred
from mien.workflows.threads import Ahead

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter there")


class Ended(KeyboardInterrupt):
    """What the tests' handler of SIGTERM raises."""


@pytest.fixture(autouse=True)
def handlers():
    """Python's own handler of Ctrl-C, which the tests' parent may have switched off, and one of
    SIGTERM."""

    def end(number, frame):
        raise Ended

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGTERM: signal.signal(signal.SIGTERM, end),
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def press(number=signal.SIGINT):
    signal.raise_signal(number)


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Ended)]
)
def test_it_comes_where_it_is_let_in(number, error):
    reached = []
    with pytest.raises(error) as raised, deferred() as let_in:
        let_in()
        press(number)
        reached.append("after the signal")
        let_in()
        reached.append("after let_in")
    assert raised.type is error
    assert reached == ["after the signal"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_comes_at_the_end_at_the_latest():
    reached = []
    with pytest.raises(KeyboardInterrupt):
        with deferred():
            press()
            reached.append("end of the block")
        reached.append("after the block")
    assert reached == ["end of the block"]


def test_the_second_one_does_not_wait():
    reached = []
    with pytest.raises(KeyboardInterrupt), deferred():
        press()
        reached.append("after the first")
        press()
        reached.append("after the second")
    assert reached == ["after the first"]


def test_an_error_of_the_block_goes_first():
    with pytest.raises(ValueError, match="own"), deferred():
        press()
        raise ValueError("own")
    with deferred() as let_in:
        let_in()  # nothing is left of it


def test_ignored_signals_stay_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with deferred() as let_in:
        press()
        let_in()


def test_other_threads_have_nothing_to_do_with_it():
    done = []

    def work():
        with deferred() as let_in:
            let_in()
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.default_int_handler]


def test_who_waits_for_an_item_is_interrupted():
    """A source that gives nothing, as a stream that stalls, and a person who has enough of it."""
    stalled = threading.Event()

    def items():
        stalled.wait()
        yield from ()

    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with (
        pytest.raises(KeyboardInterrupt),
        deferred() as let_in,
        Ahead(items(), 1, stop=stalled.set, idle=let_in) as ahead,
    ):
        list(ahead)
