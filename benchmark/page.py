"""The page's live mode in Chromium, against the same pipeline in Python, in turns.

    python benchmark/page.py FILM [--seconds S]

FILM shows one face and becomes the camera. Rounds of the browser, of the service and of Python
alternate in one run. Needs Playwright, Chromium and `make page`.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import cv2
from playwright.sync_api import sync_playwright

from mien.recognition.classifier import Classifier
from mien.recognition.detectors import load_detector
from mien.recognition.recognizer import Recognizer
from mien.recognition.video_recognizer import LIVE_SEARCH_SIDE_PX, VideoRecognizer
from mien.workflows.models import open_model
from serving_client import serving

CAMERA_PX = (640, 480)
ROUNDS = 1
WARM_S = 3.0

_WATCH = """() => {
    globalThis.gaps = [];
    let last = performance.now();
    const step = (now) => { gaps.push(now - last); last = now; requestAnimationFrame(step); };
    requestAnimationFrame(step);
}"""
_FRAMES = "document.querySelector('#camera-pace').dataset.frames"


def main() -> None:
    """Measure, and print a line per round and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("film", type=Path)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    chosen = parser.parse_args()
    frames = camera_frames(chosen.film)
    rates: dict[str, list[float]] = {"browser": [], "server": [], "python": []}
    gaps_ms: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        serving() as server,
        visit(chosen.chromium, camera_file(frames, Path(folder)), server.port) as page,
    ):
        for _ in range(ROUNDS):
            for place in ("browser", "server"):
                rate, gap_ms = live(page, place, chosen.seconds)
                rates[place].append(rate)
                if place == "browser":
                    gaps_ms.append(gap_ms)
                print(f"{place}: {rate:.1f} frames a second, longest gap {gap_ms:.0f} ms")
            rates["python"].append(in_python(frames, chosen.seconds / 2))
            print(f"python: {rates['python'][-1]:.1f} frames a second on one core")
    baseline = statistics.median(rates["python"])
    for place in ("browser", "server"):
        print(f"{place} / python: {statistics.median(rates[place]) / baseline:.2f}")
    print(f"longest gap between animation frames in the browser mode: {max(gaps_ms):.0f} ms")


def camera_frames(film: Path) -> list[Any]:
    """Frames of a film as a camera gives them, BGR."""
    with av.open(str(film)) as container:
        found = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    return [cv2.resize(frame, CAMERA_PX, interpolation=cv2.INTER_AREA) for frame in found]


def camera_file(frames: list[Any], folder: Path) -> Path:
    """The frames as MJPEG, which Chromium takes for a camera."""
    path = folder / "camera.mjpeg"
    path.write_bytes(b"".join(cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames))
    return path


@contextmanager
def visit(chromium: str, camera: Path, port: int) -> Iterator[Any]:
    """The page, loaded."""
    flags = [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_selector("html[data-state=ready]")
        page.evaluate(_WATCH)
        yield page
        browser.close()


def live(page: Any, place: str, seconds: float) -> tuple[float, float]:
    """Frames a second that were worked on, and the longest gap in ms."""
    page.locator(f"input[value={place}]").check(force=True)
    page.wait_for_selector(f"html[data-place={place}][data-state=ready]")
    page.click("#camera-start")
    page.wait_for_selector("#camera-faces .face")
    time.sleep(WARM_S)
    page.evaluate("gaps.length = 0")
    before, begin_s = int(page.evaluate(_FRAMES)), time.monotonic()
    time.sleep(seconds)
    rate = (int(page.evaluate(_FRAMES)) - before) / (time.monotonic() - begin_s)
    gap_ms = float(page.evaluate("Math.max(...gaps)"))
    page.click("#camera-stop")
    return rate, gap_ms


def in_python(frames: list[Any], seconds: float) -> float:
    """Frames a second of the same pipeline in this process, one thread, without decoding."""
    cv2.setNumThreads(1)
    classifier = Classifier(open_model("default").bundle(), threads=1)
    recognizer = Recognizer(classifier, load_detector("yunet", offline=True))
    video = VideoRecognizer(recognizer, search_side_px=LIVE_SEARCH_SIDE_PX)
    begin_s, n = time.monotonic(), 0
    while time.monotonic() - begin_s < seconds:
        image_rgb = cv2.cvtColor(frames[n % len(frames)], cv2.COLOR_BGR2RGB)
        n += 1
        video.recognize(image_rgb, frame=n, time_s=n / 30)
    return n / (time.monotonic() - begin_s)


if __name__ == "__main__":
    main()
