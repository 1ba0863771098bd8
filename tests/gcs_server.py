"""Google's object store on this machine, as far as listing and reading go."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@contextmanager
def serve(bucket: str, objects: dict[str, bytes]) -> Iterator[str]:
    """Serve objects by their names in one bucket; yields the server's address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            head, _, name = parts.path.partition(f"/storage/v1/b/{bucket}/o")
            name = unquote(name.removeprefix("/"))
            if not name:
                self._answer(200, json.dumps(_listing(bucket, objects, query)).encode())
            elif name not in objects:
                self._answer(404, b'{"error": {"code": 404, "message": "No such object"}}')
            elif head == "/download" or query.get("alt") == ["media"]:
                self._content(objects[name])
            else:
                self._answer(200, json.dumps(_about(bucket, name, objects[name])).encode())

        def _content(self, content: bytes) -> None:
            wanted = self.headers.get("Range")
            if not wanted:
                self._answer(200, content)
                return
            first, last = wanted.removeprefix("bytes=").split("-")
            self._answer(206, content[int(first) : int(last) + 1 if last else None])

        def _answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _about(bucket: str, name: str, content: bytes) -> dict[str, Any]:
    return {
        "kind": "storage#object",
        "bucket": bucket,
        "name": name,
        "size": str(len(content)),
        "contentType": "application/octet-stream",
        "updated": "2026-01-01T00:00:00.000Z",
        "timeCreated": "2026-01-01T00:00:00.000Z",
        "generation": "1",
    }


def _listing(bucket: str, objects: dict[str, bytes], query: dict[str, list[str]]) -> dict[str, Any]:
    prefix, delimiter = (query.get(key, [""])[0] for key in ("prefix", "delimiter"))
    items, prefixes = [], set()
    for name, content in sorted(objects.items()):
        rest = name.removeprefix(prefix)
        if not name.startswith(prefix):
            continue
        if delimiter and delimiter in rest:
            prefixes.add(prefix + rest.split(delimiter)[0] + delimiter)
        else:
            items.append(_about(bucket, name, content))
    return {"kind": "storage#objects", "items": items, "prefixes": sorted(prefixes)}
