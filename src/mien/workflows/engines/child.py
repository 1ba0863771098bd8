"""A worker process: takes shards from a socket, and reports.

It ends with the process that started it, however that ended: a socket whose other end is gone
hangs up, and a thread waits for nothing else.
"""

import os
import select
import threading
from multiprocessing.connection import Connection


def main(handle: int) -> None:
    """Work until the other end closes.

    Args:
        handle: file descriptor of the socket.
    """
    threading.Thread(target=_end_with_parent, args=(handle,), daemon=True).start()
    connection = Connection(handle)
    number = -1
    try:
        worker = connection.recv()()
        connection.send(("ready", number, None))
        while True:
            _, number, shard = connection.recv()
            connection.send(("done", number, worker(shard)))
    except EOFError:
        pass
    except Exception as error:
        _report(connection, number, error)
    finally:
        # Threads of libraries have nothing more to say.
        os._exit(0)


def _report(connection: Connection, number: int, error: Exception) -> None:
    try:
        connection.send(("failed", number, error))
    except Exception:  # an error that does not travel
        from mien.errors import EngineError

        words = f"a worker failed ({type(error).__name__}: {error})"
        connection.send(("failed", number, EngineError(words)))


def _end_with_parent(handle: int) -> None:
    poll = select.poll()
    poll.register(handle, 0)  # a hang-up is told without being asked for
    while not any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll()):
        pass
    os._exit(1)
