"""Servers on this machine, as streams and video addresses are in the wild."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[socket.socket, int], None]
"""What a server does with a connection, given its number from 0; it is closed afterwards."""


@contextmanager
def serving(answer: Answer) -> Iterator[int]:
    """A TCP server whose every connection is answered in its own thread; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def handle(connection: socket.socket, number: int) -> None:
        try:
            answer(connection, number)
        except OSError:
            pass  # the client went away, or the test is over
        finally:
            connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_connections.append(connection)
            thread = threading.Thread(target=handle, args=(connection, len(threads)), daemon=True)
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield listener.getsockname()[1]
    finally:
        # `close` alone does not wake a thread that waits in `accept`.
        for each in (listener, *open_connections):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in (acceptor, *threads):
            thread.join(5)


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def silent(connection: socket.socket, number: int) -> None:
    """Take what comes and never answer."""
    while connection.recv(65536):
        pass


def http(body: bytes, *, announced: int | None = None, kind: str = "video/mp2t") -> Answer:
    """A web server with one file.

    Args:
        body: what is sent.
        announced: its length, as the header says; None: the header says nothing, as of a stream.
    """

    def answer(connection: socket.socket, number: int) -> None:
        _take_request(connection)
        length = "" if announced is None else f"Content-Length: {announced}\r\n"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{length}Connection: close\r\n\r\n"
        connection.sendall(head.encode() + body)

    return answer


def status(line: str) -> Answer:
    """A web server that answers with a status, e.g. ``404 Not Found``, and no file."""

    def answer(connection: socket.socket, number: int) -> None:
        _take_request(connection)
        connection.sendall(f"HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n".encode())

    return answer


def _take_request(connection: socket.socket) -> None:
    request = b""
    while b"\r\n\r\n" not in request:
        received = connection.recv(65536)
        if not received:
            raise ConnectionResetError
        request += received
