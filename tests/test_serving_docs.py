"""The examples of docs/serve.md run, and deploy/ fits the command."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mien.cli.app import app
from serving_factory import Running, photo, running
from video_factory import make_clip

_ROOT = Path(__file__).parent.parent
_DOC = _ROOT / "docs" / "serve.md"
_EXAMPLES = re.findall(r"<!-- test -->\n```(\w+)\n(.*?)```", _DOC.read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("serving")) as started:
        yield started


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the files of the examples."""
    (tmp_path / "photo.jpg").write_bytes(photo())
    make_clip(tmp_path / "clip.mp4", 3)
    return tmp_path


def test_there_are_examples():
    assert [kind for kind, _ in _EXAMPLES] == ["sh", "sh", "python", "sh", "python", "python"]


@pytest.mark.parametrize(("kind", "text"), _EXAMPLES)
def test_examples(service: Running, place: Path, kind: str, text: str):
    text = text.replace(":7890", f":{service.client.port}")
    if kind == "sh" and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = ["sh", "-ec", text] if kind == "sh" else [sys.executable, "-W", "ignore", "-c", text]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "urn:mien:problem" not in done.stdout


def options() -> set[str]:
    """Environment variables of `mien serve`."""
    import typer.main

    command = typer.main.get_command(app)
    return {
        str(parameter.envvar)
        for parameter in command.commands["serve"].params  # type: ignore[attr-defined]
        if getattr(parameter, "envvar", None)
    }


def test_every_option_has_its_variable():
    import typer.main

    command = typer.main.get_command(app)
    for parameter in command.commands["serve"].params:  # type: ignore[attr-defined]
        if parameter.name != "help":
            flag = parameter.opts[0].removeprefix("--").upper().replace("-", "_")
            assert parameter.envvar == f"MIEN_SERVE_{flag}"


@pytest.mark.parametrize(
    "name", ["Dockerfile", "compose.yaml", "mien-serve.service", "healthcheck.py"]
)
def test_deploy_names_options_that_there_are(name: str):
    text = (_ROOT / "deploy" / name).read_text(encoding="utf-8")
    named = set(re.findall(r"MIEN_SERVE_[A-Z_]+", text))
    assert named
    assert named <= options() | {"MIEN_SERVE_TOKEN"}


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_proxies_name_options_that_there_are(name: str):
    text = (_ROOT / "deploy" / name).read_text(encoding="utf-8")
    flags = set(re.findall(r"(?<=\s)--[a-z-]+", text))
    assert flags
    assert {f"MIEN_SERVE_{flag[2:].upper().replace('-', '_')}" for flag in flags} <= options()


def test_the_health_check(service: Running, tmp_path: Path):
    def check(port: int) -> int:
        environment = {"MIEN_SERVE_PORT": str(port)}
        command = [sys.executable, str(_ROOT / "deploy" / "healthcheck.py")]
        return subprocess.run(command, env=environment, check=False).returncode

    assert check(service.client.port) == 0
    with running(tmp_path) as gone:
        port = gone.client.port
    assert check(port) == 1


def test_a_prefix_that_a_proxy_takes_off(tmp_path: Path):
    clip = make_clip(tmp_path / "clip.mp4", 2).read_bytes()
    (tmp_path / "folder").mkdir()
    with running(tmp_path / "folder", root_path="/faces") as service:
        client = service.client
        assert client.post("/v1/recognize", photo()).status == 200
        answer = client.post("/v1/videos", clip, "video/mp4")
        assert answer.headers["location"].startswith("/faces/v1/videos/")
        assert client.get(answer.headers["location"].removeprefix("/faces")).status == 200
        assert b" http://127.0.0.1" in client.get("/docs", **{"X-Forwarded-Proto": "'"}).body
        told = client.get("/docs", Host="localhost", **{"X-Forwarded-Proto": "https"}).body
        assert b" https://localhost/faces/v1/recognize" in told
        assert client.get("/openapi.json").json["servers"] == [{"url": "/faces"}]


def test_limits_in_the_docs_are_the_defaults():
    from mien.serving.settings import Limits

    limits, text = Limits(), _DOC.read_text(encoding="utf-8")
    for words in (
        f"{limits.body_bytes // 10**6} MB",
        f"{limits.picture_pixels // 10**6} megapixels",
        f"{limits.pictures} pictures",
        f"{limits.video_bytes // 10**6} MB of video",
        f"all {limits.connections} connections",
        f"{limits.live} are open",
        f"longer than {limits.header_s:g} s",
        f"longer than {limits.body_s:g} s",
        f"{limits.waiting_videos} may wait",
        f"{limits.waiting_bytes // 10**6} MB at most",
        f"{limits.kept_s / 60:g} minutes",
    ):
        assert words in text, words
