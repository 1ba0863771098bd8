"""Chromium in the hands of a test, in front of a service or a folder of files.

Browsers get their own profile, a camera made of a file, and no network but this machine. What
they say on the console, and what they ask for, is written down.
"""

import functools
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import cv2
import pytest

import real_data
from mien.model import store
from mien.page import runtime
from mien.recognition.detectors.yunet import YuNet
from serving_factory import Running, running, wait_until

VARIABLE = "MIEN_TEST_CHROMIUM"
"""Environment variable: the browser to use."""
PATIENCE_MS = 90_000
"""How long anything may take on a machine that has much else to do."""

PLACES = ["browser", "server"]
"""Where the work is done."""
SINGLE, MANY, ALPHA = "WolfgangLanger_Pexels.mp4", "multi_face.jpg", "Image_with_alpha.png"
"""A film of one face, a photo of five, and one with transparency; see `media`."""

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ("--no-sandbox", "--disable-dev-shm-usage", "--use-fake-device-for-media-stream")
_CAMERA_PX = (640, 360)
NODE_MODULES = Path(__file__).parent.parent / "build" / "page" / "node_modules"
"""What `make page` fetched."""


def chromium_path() -> str:
    """The browser; skips where there is none."""
    pytest.importorskip("playwright", reason="needs Playwright")
    wanted = os.environ.get(VARIABLE)
    found = wanted or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip(f"no Chromium on this machine; install it, or name it by {VARIABLE}")
    return found


def need_runtime() -> None:
    """Skip where the browser has nothing to run networks with."""
    if runtime.find() is None:
        pytest.skip("the files of ONNX Runtime Web are not there; get them with: make page")


def yunet_path() -> Path:
    """YuNet's file; skips where it is absent."""
    folder = real_data.folder()
    if folder is None:
        pytest.skip(real_data.reason())
    return folder / "models" / "face_detection_yunet_2023mar.onnx"


def media(name: str) -> Path:
    """A real picture or film; skips where it is absent."""
    folder = real_data.folder()
    if folder is None:
        pytest.skip(real_data.reason())
    return folder / "media" / name


@contextmanager
def page_service(folder: Path, **settings: Any) -> Iterator[Running]:
    """A service with YuNet, and with what browsers need."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIEN_CACHE", str(folder / "cache"))
        found = store.fetch("yunet", from_file=yunet_path())
        (folder / "work").mkdir(parents=True)
        with running(folder / "work", detector=YuNet(found), **settings) as service:
            yield service


def film_frames(name: str, every: int = 1) -> Iterator[Any]:
    """Frames of a film, BGR."""
    with av.open(str(media(name))) as film:
        for number, frame in enumerate(film.decode(video=0)):
            if number % every == 0:
                yield frame.to_ndarray(format="bgr24")


def camera_file(folder: Path) -> Path:
    """The film of one face as what a camera sees."""
    path = folder / "camera.mjpeg"
    with path.open("wb") as file:
        for frame in film_frames("WolfgangLanger_Pexels.mp4", every=2):
            small = cv2.resize(frame, _CAMERA_PX, interpolation=cv2.INTER_AREA)
            file.write(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
    return path


def short_clip(path: Path, film_name: str = SINGLE) -> Path:
    """The first second of a film."""
    frames = [frame for _, frame in zip(range(24), film_frames(film_name), strict=False)]
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=24)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        film.mux(stream.encode())
    return path


class Visit:
    """One visit to the page, with what the browser said and asked for."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.address = address
        self.said: list[str] = []
        self.asked: list[str] = []
        self.received_bytes = 0
        page.set_default_timeout(PATIENCE_MS)
        # Playwright catches file dialogs while somebody listens, and only then.
        page.on("filechooser", lambda _: None)
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("request", lambda request: self.asked.append(request.url))
        # While anybody listens, Playwright catches file dialogs. Without this listener it stops
        # after each dialog and begins again for the next one, which may open before it is ready.
        page.on("filechooser", lambda _: None)

    def open(self, state: str = "ready") -> "Visit":
        """Load the page, and wait for it."""
        self.page.goto(self.address)
        self.page.wait_for_selector(f"html[data-state={state}]")
        return self

    def use(self, place: str) -> None:
        """Choose where it runs."""
        self.page.locator(f"input[value={place}]").check(force=True)
        self.page.wait_for_selector(f"html[data-place={place}][data-state=ready]")

    def shows(self, selector: str, text: str) -> None:
        """Wait until an element shows a text."""
        self.page.locator(selector, has_text=text).first.wait_for()

    def waits_for(self, expression: str) -> None:
        """Wait until an expression is true. (Playwright's own waiting is against the policy.)"""
        wait_until(lambda: bool(self.page.evaluate(expression)))

    def choose_photos(self, *files: Path) -> None:
        """Give photos to the page, as the dialog does."""
        self.page.click("#tab-photos")
        self.page.set_input_files("#photos-input", files)

    def photos(self, n: int) -> None:
        """Wait until so many photos are done."""
        self.page.locator(".photo .looked").nth(n - 1).wait_for()

    def saved(self, panel: str, button: str) -> bytes:
        """What a button of a panel hands out."""
        with self.page.expect_download() as waiting:
            self.page.locator(f"#panel-{panel} button", has_text=button).first.click()
        return Path(waiting.value.path()).read_bytes()


class Browser:
    """A browser that is open."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser

    @contextmanager
    def visit(self, address: str, *, may_say: str | None = None, **context: Any) -> Iterator[Visit]:
        """Visit a page until the end of the block; the console must be empty but for one text."""
        opened = self.browser.new_context(**context)
        try:
            visit = Visit(opened.new_page(), address)
            yield visit
            said = [line for line in visit.said if may_say is None or may_say not in line]
            assert not said, said
        finally:
            opened.close()


@contextmanager
def browser(
    playwright: Any, *flags: str, camera: Path | None = None, may_use_camera: bool = True
) -> Iterator[Browser]:
    """Open Chromium until the end of the block."""
    chosen = [*_FLAGS, *flags]
    if camera is not None:
        chosen.append(f"--use-file-for-fake-video-capture={camera}")
    if may_use_camera:
        chosen.append("--use-fake-ui-for-media-stream")
    opened = playwright.chromium.launch(executable_path=chromium_path(), args=chosen)
    try:
        yield Browser(opened)
    finally:
        opened.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def static_host(folder: Path) -> Iterator[str]:
    """What `python -m http.server` does with a folder."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate of one's own and its key; skips where OpenSSL's command is absent."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            f"/CN={name}",
            "-addext",
            f"subjectAltName=DNS:{name}",
            "-out",
            cert,
            "-keyout",
            key,
        ],
        check=True,
        capture_output=True,
    )
    return cert, key
