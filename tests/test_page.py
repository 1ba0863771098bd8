"""The files of the page: what they are sent as, and where they come from."""

import gzip
import io
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from browser_factory import NODE_MODULES, need_runtime, page_service, yunet_path
from command_line import assert_fails_on_one_line, mien, mien_process
from mien.errors import ModelError, OutputError, WeightsError
from mien.model import store
from mien.page import runtime
from mien.page.files import MEDIA_TYPES, POLICY, shell_files, static_files
from mien.serving.settings import Limits
from mien.workflows.models import fetch_model
from mien.workflows.page import export_page
from serving_factory import bundle, classifier, running

ROOT = Path(__file__).parent.parent
WEB = ROOT / "src/mien/page/web"
TOKEN = "a-token-of-some-length-0123456789"


@pytest.fixture
def yunet(own_cache: Path) -> Path:
    return store.fetch("yunet", from_file=yunet_path())


def test_media_types(tmp_path: Path):
    expected = {
        "index.html": "text/html",
        "page/app.mjs": "text/javascript",
        "page/page.css": "text/css",
        "page/theme.css": "text/css",
        "page/icon.svg": "image/svg+xml",
    }
    with running(tmp_path) as service:
        for path, kind in expected.items():
            answer = service.client.get(f"/{path}" if path != "index.html" else "/")
            assert answer.status == 200
            assert answer.headers["content-type"].startswith(kind)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-security-policy"].startswith(POLICY)
            assert "camera=(self)" in answer.headers["permissions-policy"]


def test_files_are_sent_once(tmp_path: Path):
    with running(tmp_path) as service:
        answer = service.client.get("/page/app.mjs")
        tag = answer.headers["etag"]
        again = service.client.request("GET", "/page/app.mjs", headers={"If-None-Match": tag})
        assert (again.status, again.body) == (304, b"")
        other = service.client.request("GET", "/page/app.mjs", headers={"If-None-Match": '"a"'})
        assert other.body == answer.body


@pytest.mark.parametrize(
    "path", ["../runtime.py", "%2e%2e/runtime.py", "engine", "package.json", "app.mjs/", "nothing"]
)
def test_there_is_nothing_else(tmp_path: Path, path: str):
    with running(tmp_path) as service:
        assert service.client.get(f"/page/{path}").status == 404


def test_a_token_guards_the_model_and_not_the_page(tmp_path: Path):
    need_runtime()
    with page_service(tmp_path, token=TOKEN) as service:
        client, service.client.token = service.client, None
        for path in ("/", "/page/app.mjs", "/page/start.json", "/page/yunet.onnx"):
            assert client.get(path).status == 200
        for path in ("/page/model.onnx", "/page/model.json"):
            client.get(path).problem(401, "no-token")
            assert client.get(path, Authorization=f"Bearer {TOKEN}").status == 200
        assert client.get("/page/start.json").json["token"] is True


def test_without_its_files_the_page_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path
):
    with running(tmp_path) as service:
        start = service.client.get("/page/start.json").json
        assert "mien fetch yunet" in start["browser"]
        assert service.client.get("/page/model.onnx").status == 404
    store.fetch("yunet", from_file=yunet_path())
    monkeypatch.setattr(runtime, "PACKAGED", tmp_path / "nowhere")
    with running(tmp_path, limits=Limits(body_bytes=7_000_000)) as service:
        start = service.client.get("/page/start.json").json
        assert "mien fetch page" in start["browser"]
        assert start["body_bytes"] == 7_000_000
        assert service.client.get("/page/model.json").json["model"]["name"]


def package(folder: Path, **changed: bytes) -> Path:
    """A package as npm packs it, of what is here."""
    need_runtime()
    found = runtime.find()
    assert found is not None
    path = folder / "package.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in found.items():
            plain = gzip.decompress(content) if name.endswith(".gz") else content
            content = changed.get(name.split(".")[0].replace("-", "_"), plain)
            entry = tarfile.TarInfo(f"package/dist/{name.removesuffix('.gz')}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        entry = tarfile.TarInfo("package/../../../evil")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"evil"))
    return path


def test_fetching_from_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path):
    copy = package(tmp_path)
    monkeypatch.setattr(runtime, "PACKAGED", tmp_path / "nowhere")
    assert runtime.find() is None
    folder = fetch_model("page", from_file=copy)
    assert folder == own_cache / "page"
    found = runtime.find()
    assert found is not None
    assert sorted(path.name for path in folder.iterdir()) == sorted(runtime.SHA256)
    assert fetch_model("page") == folder
    # Damaged afterwards: as if it were not there.
    (folder / runtime.WASM_NAME).write_bytes(found[runtime.WASM_NAME][:1000])
    assert runtime.find() is None
    (folder / runtime.WASM_NAME).write_bytes(b"\x1f\x8b" + b"\0" * 100)
    assert runtime.find() is None


def test_other_copies_are_refused(tmp_path: Path, own_cache: Path):
    changed = package(tmp_path, ort=b"something else")
    with pytest.raises(WeightsError, match=r"holds another ort\.wasm\.min\.mjs"):
        runtime.fetch(changed)
    (tmp_path / "cut.tgz").write_bytes(changed.read_bytes()[:100_000])
    (tmp_path / "text.tgz").write_text("no archive")
    with tarfile.open(tmp_path / "empty.tgz", "w:gz"):
        pass
    (tmp_path / "folder").mkdir()
    for name in ("cut.tgz", "text.tgz", "empty.tgz", "folder", "missing.tgz"):
        with pytest.raises(WeightsError) as raised:
            runtime.fetch(tmp_path / name)
        assert name in str(raised.value)
        assert len(str(raised.value)) < 300
        assert "\n" not in str(raised.value)
    assert not (own_cache / "page").exists()


def test_npm_that_is_missing_or_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runtime, "PACKAGED", tmp_path / "nowhere")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WeightsError, match="npm is not on this machine"):
        runtime.fetch()
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'no such host' >&2\nexit 1\n")
    npm.chmod(0o755)
    with pytest.raises(WeightsError, match=r"no such host.*--from FILE\.tgz"):
        runtime.fetch()


def test_the_command_says_it_in_a_line(tmp_path: Path):
    (tmp_path / "text.tgz").write_text("no archive")
    done = mien("fetch", "page", "--from", "text.tgz", cwd=tmp_path)
    assert_fails_on_one_line(done, "text.tgz")


def test_exporting(tmp_path: Path, yunet: Path):
    need_runtime()
    site = export_page(tmp_path / "site", offline=True)
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert files == set(static_files(bundle(), classifier().card))
    html = (site / "index.html").read_text(encoding="utf-8")
    assert POLICY in html
    assert "frame-ancestors" not in html
    assert json.loads((site / "page/start.json").read_text())["server"] is False
    assert (site / "page/model.onnx").read_bytes() == bundle()
    assert export_page(site, offline=True) == site  # again
    (site / "mine.txt").write_text("other")
    with pytest.raises(OutputError, match=r"mine\.txt"):
        export_page(site, offline=True)
    assert (site / "index.html").read_text(encoding="utf-8") == html


def test_exporting_without_what_it_needs(tmp_path: Path, own_cache: Path):
    with pytest.raises(WeightsError, match="mien fetch yunet"):
        export_page(tmp_path / "site", offline=True)
    with pytest.raises(ModelError):
        export_page(tmp_path / "site", tmp_path / "missing.onnx", offline=True)
    assert not (tmp_path / "site").exists()


def test_exporting_by_the_command(tmp_path: Path, own_cache: Path):
    need_runtime()
    store.fetch("yunet", from_file=yunet_path())
    more = {"MIEN_CACHE": str(own_cache)}
    done = mien_process("serve", "--export", "site", "--offline", cwd=tmp_path, environment=more)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "site", "")
    assert (tmp_path / "site" / "index.html").is_file()


def test_the_page_asks_for_nothing_from_elsewhere():
    for path, file in shell_files().items():
        text = file.content.decode()
        text = re.sub(r"http://www\.w3\.org/2000/svg|https://github\.com/opencv/\S+", "", text)
        assert not re.search(r"(?:https?|wss?)://", text), path
        assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", text), path


def test_every_module_is_sent_and_every_import_is_there():
    files = set(shell_files())
    for path in WEB.rglob("*.mjs"):
        for name in re.findall(r"from \"(\.[^\"]+)\"", path.read_text(encoding="utf-8")):
            target = (path.parent / name).resolve().relative_to(WEB).as_posix()
            assert f"page/{target}" in files
    assert {path.suffix for path in WEB.rglob("*") if path.is_file()} <= set(MEDIA_TYPES)


def test_no_inline_style_or_script():
    html = (WEB / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|<style|\son\w+=", html)
    assert re.findall(r"<script([^>]*)>", html) == [' type="module" src="page/app.mjs"']


def test_only_python_spells_class_names():
    for path in WEB.rglob("*.mjs"):
        text = path.read_text(encoding="utf-8").lower()
        for key in classifier().label_set.keys:
            assert not re.search(rf"[\"'`]{key}[\"'`]", text), (path, key)


def test_the_lock_file_names_no_host():
    lock = (ROOT / "src/mien/page/package-lock.json").read_text(encoding="utf-8")
    assert "://" not in lock
    content = json.loads(lock)
    wanted = json.loads((ROOT / "src/mien/page/package.json").read_text(encoding="utf-8"))
    version = wanted["dependencies"][runtime.PACKAGE]
    entry = content["packages"][f"node_modules/{runtime.PACKAGE}"]
    assert entry["version"] == version
    assert entry["integrity"].startswith("sha512-")


def test_types():
    compiler = NODE_MODULES / ".bin" / "tsc"
    if not compiler.exists() or shutil.which("node") is None:
        pytest.skip("TypeScript is not there; get it with: make page")
    command = [compiler, "-p", ROOT / "src/mien/page"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
