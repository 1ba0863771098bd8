"""Who may ask a service: names, pages elsewhere, tokens; and how it is started."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from command_line import start_mien
from mien.errors import ServeError
from mien.serving.settings import Limits, Settings, is_loopback, read_token
from serving_factory import PATIENCE_S, Client, photo, running, serving_process

TOKEN = "a-token-of-some-length-0123456789"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with running(
        tmp_path_factory.mktemp("serving"),
        token=TOKEN,
        allowed_hosts=("faces.example.org",),
        allowed_origins=("https://app.example.org",),
    ) as service:
        yield service.client


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:1234",
        "127.0.0.1",
        "127.0.0.1:80",
        "[::1]:80",
        "faces.example.org",
        "Faces.Example.Org.:443",
    ],
)
def test_known_hosts(client: Client, host: str):
    assert client.get("/v1/models", Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example.com",
        "localhost.evil.example.com",
        "faces.example.org.evil.com",
        "192.0.2.7",
        "127.0.0.1.evil.com",
        "[::1",
        "localhost:80:evil.com",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/healthz", "/docs"])
def test_foreign_hosts(client: Client, host: str, path: str):
    client.get(path, Host=host).problem(421, "unknown-host")


@pytest.mark.parametrize("origin", ["http://127.0.0.1:{port}", "https://app.example.org"])
def test_known_origins(client: Client, origin: str):
    origin = origin.format(port=client.port)
    host = f"127.0.0.1:{client.port}"
    assert client.post("/v1/recognize", photo(), Origin=origin, Host=host).status == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.com",
        "null",
        "http://127.0.0.1:1",
        "http://localhost:{port}",
        "file://",
    ],
)
def test_foreign_origins(client: Client, origin: str):
    origin = origin.format(port=client.port)
    answer = client.post("/v1/recognize", photo(), Origin=origin)
    answer.problem(403, "foreign-origin")
    assert "access-control-allow-origin" not in answer.headers
    gone = client.request("DELETE", f"/v1/videos/{'0' * 32}", headers={"Origin": origin})
    gone.problem(403, "foreign-origin")
    # Reading is no harm: no page elsewhere gets to see the answer.
    read = client.get("/v1/models", Origin=origin)
    assert read.status == 200
    assert "access-control-allow-origin" not in read.headers


def test_an_allowed_page_may_ask_and_read(client: Client):
    page = "https://app.example.org"
    asked = Client(client.port).request(
        "OPTIONS",
        "/v1/recognize",
        headers={"Origin": page, "Access-Control-Request-Method": "POST"},
    )
    assert asked.status == 204
    assert "authorization" in asked.headers["access-control-allow-headers"]
    answer = client.post("/v1/recognize", photo(), Origin=page)
    assert answer.headers["access-control-allow-origin"] == page
    assert "cross-origin-resource-policy" not in answer.headers


def test_a_preflight_of_another_page_gets_nothing(client: Client):
    answer = client.request("OPTIONS", "/v1/recognize", headers={"Origin": "https://evil.com"})
    assert answer.status == 405
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "shown",
    [None, "", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, f"Bearer x{TOKEN}"],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/recognize"),
        ("POST", "/v1/videos"),
        ("GET", "/v1/models"),
        ("GET", "/metrics"),
        ("GET", f"/v1/videos/{'0' * 32}"),
        ("DELETE", f"/v1/videos/{'0' * 32}"),
        ("GET", f"/v1/models?token={TOKEN}"),
        ("GET", "/nothing"),
    ],
)
def test_without_the_token(client: Client, method: str, path: str, shown: str | None):
    headers = {} if shown is None else {"Authorization": shown}
    answer = Client(client.port).request(method, path, b"", headers)
    answer.problem(401, "no-token")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_what_needs_no_token(client: Client):
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
        assert Client(client.port).get(path).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example.com"}, 421),
        ({"Origin": "https://evil.example.com"}, 403),
        ({"Authorization": "Bearer wrong"}, 401),
    ],
)
def test_handshakes_are_refused_before_they_are_accepted(
    client: Client, headers: dict[str, str], status: int
):
    with client.socket() as raw:
        lines = {
            "Host": f"127.0.0.1:{client.port}",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
            **headers,
        }
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        raw.sendall(f"GET /v1/live HTTP/1.1\r\n{text}\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"application/problem+json" in head.lower()
    assert f'"status": {status}'.encode() in body


def test_other_websockets_are_not_found(client: Client):
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(
            f"ws://127.0.0.1:{client.port}/v1/other",
            additional_headers={"Authorization": f"Bearer {TOKEN}"},
        ),
    ):
        pass
    assert refused.value.response.status_code == 404


@pytest.mark.parametrize(
    "arguments",
    [
        ("--host", "0.0.0.0"),
        ("--host", "::"),
        ("--host", "example.org"),
        ("--tls-cert", "cert.pem"),
        ("--allow-origin", "example.org"),
        ("--root-path", "faces/"),
        ("--max-body-mb", "0"),
        ("--max-live", "-1"),
        ("--max-body-mb", "inf"),
        ("--max-megapixels", "nan"),
        ("--body-seconds", "nan"),
        ("--port", "99999"),
        ("--threads", "0"),
    ],
)
def test_wrong_usage_ends_at_once(tmp_path: Path, arguments: tuple[str, str]):
    started = start_mien("serve", *arguments, cwd=tmp_path)
    _, stderr = started.communicate(timeout=PATIENCE_S)
    assert started.returncode == 2, stderr
    assert "Traceback" not in stderr


@pytest.mark.parametrize("content", [None, "short", "", "with a space in the middle", "ß" * 20])
def test_a_token_that_is_none(tmp_path: Path, content: str | None):
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ServeError, match="token"):
        read_token(path, None)


def test_a_token_from_either_place(tmp_path: Path):
    (tmp_path / "token").write_text(f" {TOKEN}\n", encoding="ascii")
    assert read_token(tmp_path / "token", "another-token-0123") == TOKEN
    assert read_token(None, TOKEN) == TOKEN
    assert read_token(None, None) is None


def test_no_line_holds_the_token(tmp_path: Path):
    (tmp_path / "token").write_text(TOKEN, encoding="ascii")
    with serving_process(tmp_path, "--token-file", tmp_path / "token", token=TOKEN) as started:
        client = started.client
        assert client.post("/v1/recognize", photo()).status == 200
        client.post("/v1/recognize", b"bad").problem(422, "not-a-picture")
        client.get(f"/v1/models?token={TOKEN}")
        Client(client.port, TOKEN + "x").get("/metrics").problem(401, "no-token")
        with client.socket() as raw:
            raw.sendall(f"GET / HTTP/9\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
            raw.recv(65536)
        answers = [
            client.get(path) for path in ("/metrics", "/docs", "/openapi.json", "/v1/models")
        ]
        command = Path(f"/proc/{started.process.pid}/cmdline").read_text(encoding="utf-8")
        code, said = started.end()
    assert code == 0
    assert TOKEN not in said
    assert TOKEN not in command
    assert all(TOKEN.encode() not in answer.body for answer in answers)


def test_options_from_the_environment(tmp_path: Path):
    environment = {
        "MIEN_SERVE_TOKEN": TOKEN,
        "MIEN_SERVE_MAX_BODY_MB": "0.001",
        "MIEN_SERVE_ALLOW_HOST": "one.example.org two.example.org",
        "MIEN_SERVE_ROOT_PATH": "/faces",
    }
    with serving_process(tmp_path, environment=environment, token=TOKEN) as started:
        client = started.client
        Client(client.port).get("/v1/models").problem(401, "no-token")
        assert client.get("/v1/models", Host="two.example.org").status == 200
        client.post("/v1/recognize", bytes(1001)).problem(413, "body-too-large")
        assert client.get("/openapi.json").json["servers"] == [{"url": "/faces"}]
        # What was taken out of the environment is not inherited.
        code, said = started.end()
    assert code == 0
    assert TOKEN not in said


def test_an_address_that_is_taken(tmp_path: Path):
    with running(tmp_path) as service:
        began_s = time.monotonic()
        started = start_mien("serve", "--port", service.client.port, cwd=tmp_path)
        _, stderr = started.communicate(timeout=PATIENCE_S)
        assert started.returncode == 1, began_s
        assert len(stderr.splitlines()) == 1
        assert "name another --port" in stderr


def test_a_public_address_without_tls_says_what_it_costs(tmp_path: Path):
    with serving_process(tmp_path, "--host", "0.0.0.0", "--no-auth") as started:
        assert any("browsers give no camera" in line for line in started.lines)
        assert started.client.get("/healthz").status == 200


def test_loopback_names():
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.1.2.3", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "example.org", "192.0.2.1", "")))


def test_settings_do_not_show_the_token():
    assert TOKEN not in repr(Settings(token=TOKEN))
    with pytest.raises(ValueError, match="connections"):
        Limits(connections=0)
    assert "MIEN_SERVE_TOKEN" not in os.environ
