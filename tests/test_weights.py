import hashlib
import os
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mien.errors import WeightsError
from mien.model import store

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(HTTPServer):
    """Answers every request alike and counts them."""

    def __init__(self, status=200, body=CONTENT, announced=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.body = status, body
        self.announced = len(body) if announced is None else announced
        self.requests = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/file.onnx"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(self.server.announced))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(monkeypatch, tmp_path):
    """Start a server and make it the only address of the model ``yunet``."""
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(store, "_RETRIES", 0)
    servers = []

    def start(**answer):
        server = Server(**answer)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        point_to(monkeypatch, server.url)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def point_to(monkeypatch, *urls):
    file = replace(store.MODEL_FILES["yunet"], urls=urls, sha256=SHA256, size_bytes=len(CONTENT))
    monkeypatch.setattr(store, "MODEL_FILES", {**store.MODEL_FILES, "yunet": file})


def cached(tmp_path):
    folder = tmp_path / "cache" / "models"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_the_table_is_complete():
    for name, file in store.MODEL_FILES.items():
        assert file.name == name
        assert file.licence
        assert file.packaged != bool(file.urls)
        if not file.packaged:
            assert len(file.sha256) == 64
            assert file.size_bytes > 0
            assert all(url.startswith("https://") for url in file.urls)


def test_the_pinned_yunet_is_the_published_file(shared_folder):
    file = store.MODEL_FILES["yunet"]
    content = (shared_folder / "models" / file.file_name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == file.sha256
    assert len(content) == file.size_bytes


def test_fetch_then_find_without_a_second_request(serve, tmp_path):
    server = serve()
    assert store.find("yunet") is None
    path = store.fetch("yunet")
    assert path.read_bytes() == CONTENT
    assert path.parent == tmp_path / "cache" / "models"
    assert cached(tmp_path) == [path.name]
    assert store.find("yunet") == path
    assert store.fetch("yunet") == path
    assert store.fetch_quickly("yunet") == path
    assert server.requests == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"body": CONTENT[:-1]}, "wrong SHA-256"),
        ({"body": CONTENT[:100], "announced": len(CONTENT)}, "no complete answer"),
        ({"body": b"<html>log in</html>"}, "wrong SHA-256"),
        ({"status": 404, "body": b""}, "answered 404"),
        ({"status": 500, "body": b""}, "answered 500"),
    ],
)
def test_bad_answers_leave_nothing(serve, tmp_path, answer, message):
    serve(**answer)
    with pytest.raises(WeightsError, match=message) as caught:
        store.fetch("yunet")
    assert "mien fetch yunet --from FILE" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert cached(tmp_path) == []


def test_the_second_address_helps(serve, monkeypatch, tmp_path):
    server = serve()
    point_to(monkeypatch, "http://127.0.0.1:9/none.onnx", server.url)
    assert store.fetch("yunet").read_bytes() == CONTENT


def test_patient_fetching_retries(serve, monkeypatch):
    server = serve(status=503, body=b"")
    monkeypatch.setattr(store, "_RETRIES", 1)
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
    with pytest.raises(WeightsError):
        store.fetch("yunet")
    assert server.requests == 2


def test_no_network(serve, monkeypatch):
    point_to(monkeypatch, "http://127.0.0.1:9/none.onnx")
    with pytest.raises(WeightsError, match="check the network"):
        store.fetch("yunet")


def test_a_quick_failure_is_remembered_for_a_while(serve, monkeypatch, tmp_path):
    server = serve(status=404, body=b"")
    for message in ("answered 404", "a short while ago", "a short while ago"):
        with pytest.raises(WeightsError, match=message):
            store.fetch_quickly("yunet")
    assert server.requests == 1
    (mark,) = (tmp_path / "cache" / "models").iterdir()
    long_ago = time.time() - store.RETRY_AFTER_S - 1
    os.utime(mark, (long_ago, long_ago))
    with pytest.raises(WeightsError, match="answered 404"):
        store.fetch_quickly("yunet")
    assert server.requests == 2
    with pytest.raises(WeightsError, match="answered 404"):
        store.fetch("yunet")
    assert server.requests == 3


def hang(*_, **__):
    time.sleep(3)
    raise OSError("no answer")


def test_a_host_that_never_answers_costs_seconds_at_most(serve, monkeypatch):
    point_to(monkeypatch, "http://never.invalid/none.onnx")
    monkeypatch.setattr("socket.getaddrinfo", hang)
    monkeypatch.setattr(store, "_CONNECT_S", 0.2)
    start = time.perf_counter()
    with pytest.raises(WeightsError, match=r"never\.invalid does not answer"):
        store.fetch_quickly("yunet")
    assert time.perf_counter() - start < 2


def test_a_damaged_cached_file_is_as_if_it_were_not_there(serve):
    server = serve()
    path = store.fetch("yunet")
    for damage in (CONTENT[:-1], bytes(len(CONTENT)), b""):
        path.write_bytes(damage)
        assert store.find("yunet") is None
        assert store.fetch("yunet").read_bytes() == CONTENT
    assert server.requests == 4


def test_local_copy(serve, tmp_path):
    server = serve()
    copy = tmp_path / "copy.bin"
    copy.write_bytes(CONTENT)
    path = store.fetch("yunet", from_file=copy)
    assert path.read_bytes() == CONTENT
    assert path.name == store.MODEL_FILES["yunet"].file_name
    assert server.requests == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"something else", "14 bytes; expected 10,240"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS pointer"),
    ],
)
def test_wrong_local_copy(serve, tmp_path, content, message):
    serve()
    copy = tmp_path / "copy.bin"
    if content is not None:
        copy.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        store.fetch("yunet", from_file=copy)
    assert cached(tmp_path) == []


def test_unusable_cache_folder(serve, monkeypatch, tmp_path):
    serve()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "file"))
    copy = tmp_path / "copy.bin"
    copy.write_bytes(CONTENT)
    assert store.find("yunet") is None
    with pytest.raises(WeightsError, match="cannot write"):
        store.fetch("yunet", from_file=copy)
    with pytest.raises(WeightsError, match="cannot write"):
        store.fetch("yunet")
    with pytest.raises(WeightsError):
        store.fetch_quickly("yunet")


def test_unknown_names_list_the_known():
    for function in (store.find, store.fetch, store.fetch_quickly):
        with pytest.raises(WeightsError, match=r"known: mien-small, mien-small-int8, .*, yunet"):
            function("yolo")


def test_packaged_files_are_never_fetched(monkeypatch, tmp_path):
    monkeypatch.setattr(store, "_PACKAGED", tmp_path)
    assert store.find("mien-small") is None
    with pytest.raises(WeightsError, match="install mien again"):
        store.fetch("mien-small")
    path = tmp_path / store.MODEL_FILES["mien-small"].file_name
    path.write_bytes(b"x")
    assert store.find("mien-small") == store.fetch("mien-small") == path
    with pytest.raises(WeightsError, match="comes with the package"):
        store.fetch("mien-small", from_file=Path("x"))
