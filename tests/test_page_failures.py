"""The page in Chromium: every failure in words."""

import signal
from pathlib import Path
from typing import Any

import cv2
import pytest

from browser_factory import (
    MANY,
    PLACES,
    Browser,
    browser,
    certificate,
    film_frames,
    media,
    page_service,
    short_clip,
    yunet_path,
)
from mien.labels import FER2013
from mien.model import store
from mien.outputs.rows import columns
from serving_factory import Running, serving_process

pytest_plugins = ["page_fixtures"]


def test_without_https_there_is_no_camera_but_photos(chromium: Browser, service: Running):
    with chromium.visit(f"http://mien.test:{service.client.port}/") as visit:
        page = visit.open().page
        visit.shows("#camera-error", "over HTTPS only")
        assert not page.locator("#camera-start").is_visible()
        assert page.locator("#camera-capture").get_attribute("capture") == "user"
        page.set_input_files("#camera-capture", media(MANY))
        visit.photos(1)
        visit.use("server")
        visit.choose_photos(media(MANY))
        visit.photos(2)
        assert page.locator(".photo .face").count() == 10


def test_with_a_certificate_there_is_a_camera(chromium: Browser, tmp_path: Path):
    cert, key = certificate(tmp_path, "mien.test")
    settings = {"allowed_hosts": ("mien.test",), "tls_cert": cert, "tls_key": key}
    with (
        page_service(tmp_path / "service", **settings) as secure,
        chromium.visit(
            f"https://mien.test:{secure.client.port}/", ignore_https_errors=True
        ) as visit,
    ):
        page = visit.open().page
        for place in PLACES:
            visit.use(place)
            page.click("#camera-start")
            page.wait_for_selector("#camera-faces .face")
            page.click("#camera-stop")


def test_a_camera_that_is_refused(playwright: Any, address: str):
    with (
        browser(playwright, "--deny-permission-prompts", may_use_camera=False) as strict,
        strict.visit(address) as visit,
    ):
        page = visit.open().page
        page.click("#camera-start")
        visit.shows("#camera-error", "The camera was refused")
        assert page.locator("#camera-start").is_enabled()


def test_a_machine_without_camera(playwright: Any, address: str):
    flag = "--use-fake-device-for-media-stream=device-count=0"
    with browser(playwright, flag) as bare, bare.visit(address) as visit:
        page = visit.open().page
        page.click("#camera-start")
        visit.shows("#camera-error", "There is no camera")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NotReadableError", "in use by another program or page"),
        ("SecurityError", "does not let pages use the camera"),
        ("OverconstrainedError", "There is no camera"),
        ("TypeError", "The camera did not start (TypeError)"),
    ],
)
def test_a_camera_that_does_not_start(chromium: Browser, address: str, name: str, words: str):
    with chromium.visit(address) as visit:
        page = visit.page
        page.add_init_script(
            f"""navigator.mediaDevices.getUserMedia = async () => {{
                throw new DOMException("", "{name}");
            }};"""
        )
        visit.open()
        page.click("#camera-start")
        visit.shows("#camera-error", words)
        assert page.locator("#camera-start").is_enabled()


def test_a_camera_that_goes_away(chromium: Browser, address: str):
    with chromium.visit(address) as visit:
        page = visit.open().page
        page.click("#camera-start")
        page.wait_for_selector("#camera-faces .face")
        page.evaluate(
            """() => {
                const [track] = document.querySelector("#camera-video").srcObject.getTracks();
                track.dispatchEvent(new Event("ended"));
            }"""
        )
        visit.shows("#camera-error", "The camera went away")
        assert page.evaluate("document.querySelector('#camera-video').srcObject") is None
        page.click("#camera-start")
        page.wait_for_selector("#camera-faces .face")
        assert not page.locator("#camera-error").is_visible()


def test_a_browser_without_webassembly(chromium: Browser, address: str):
    with chromium.visit(address) as visit:
        visit.page.add_init_script("delete globalThis.WebAssembly")
        page = visit.open().page
        visit.shows(".where", "sent there, worked on in memory, not kept")
        visit.shows("#loading", "WebAssembly is switched off")
        assert page.locator("input[value=browser]").is_disabled()
        visit.choose_photos(media(MANY))
        visit.photos(1)
        assert page.locator(".photo .face").count() == 5


def test_a_service_that_dies_while_live(chromium: Browser, tmp_path: Path):
    cache = tmp_path / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIEN_CACHE", str(cache))
        store.fetch("yunet", from_file=yunet_path())
    with serving_process(tmp_path, "--offline", environment={"MIEN_CACHE": str(cache)}) as process:
        address = f"http://127.0.0.1:{process.client.port}/"
        with chromium.visit(address, may_say="ERR_") as visit:
            page = visit.open().page
            visit.use("server")
            page.click("#camera-start")
            page.wait_for_selector("#camera-faces .face")
            process.end(signal.SIGKILL)
            visit.shows("#camera-error", "does not answer any more")
            assert page.evaluate("document.querySelector('#camera-video').srcObject") is None
            visit.choose_photos(media(MANY))
            visit.shows(".photo .error", "does not answer any more")
            visit.use("browser")
            visit.choose_photos(media(MANY))
            visit.photos(1)


def test_a_busy_service_is_asked_again(chromium: Browser, address: str):
    with chromium.visit(address, may_say="503") as visit:
        page = visit.open().page
        visit.use("server")
        answers = iter([503, 503])

        def refuse(route: Any) -> None:
            status = next(answers, None)
            if status is None:
                route.continue_()
            else:
                route.fulfill(status=status, headers={"Retry-After": "1"}, body="{}")

        page.route("**/v1/recognize?*", refuse)
        visit.choose_photos(media(MANY))
        visit.shows("#photos-error", "trying again in 1 s")
        visit.photos(1)
        assert not page.locator("#photos-error").is_visible()


@pytest.mark.parametrize("place", PLACES)
def test_pictures_that_are_none(chromium: Browser, address: str, tmp_path: Path, place: str):
    frame = next(film_frames("no_face.mp4"))
    (tmp_path / "empty_room.jpg").write_bytes(cv2.imencode(".jpg", frame)[1].tobytes())
    (tmp_path / "broken.jpg").write_bytes(media(MANY).read_bytes()[:900])
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "more.csv").write_text("a,b")
    with chromium.visit(address, may_say="422") as visit:
        page = visit.open().page
        visit.use(place)
        visit.choose_photos(tmp_path / "notes.txt")
        visit.shows("#photos-error", "notes.txt is no picture.")
        assert page.locator(".photo").count() == 0
        visit.choose_photos(tmp_path / "broken.jpg")
        visit.shows(
            ".photo .error",
            "broken.jpg is no picture that this browser can read. "
            "Save it as JPEG or PNG, or run it on the service."
            if place == "browser"
            else "the picture",
        )
        visit.shows("#photos-status", "0 photos done, 1 failed, 0 faces found.")
        assert not page.locator("#photos-error").is_visible()
        visit.choose_photos(tmp_path / "empty_room.jpg")
        visit.shows(".photo .none", "No face was found")
        assert page.locator(".photo .face").count() == 0
        visit.choose_photos(media(MANY), tmp_path / "notes.txt", tmp_path / "more.csv")
        visit.shows("#photos-error", "notes.txt and more.csv are no pictures.")
        visit.shows("#photos-status", "2 photos done, 1 failed, 5 faces found.")
        page.click("text=Remove all")
        assert page.locator("#photos-status").inner_text() == ""


_DROP = """(files) => {
    const data = new DataTransfer();
    for (const [name, type] of files) data.items.add(new File(["nothing"], name, { type }));
    document.body.dispatchEvent(
        new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }),
    );
}"""


def test_what_is_dropped_and_left_out_is_named(chromium: Browser, address: str):
    with chromium.visit(address) as visit:
        page = visit.open().page
        page.evaluate(_DROP, [["song.mp3", "audio/mpeg"]])
        visit.shows("#photos-error", "song.mp3 is no picture.")
        page.evaluate(_DROP, [[f"page{k}.html", "text/html"] for k in range(6)])
        visit.shows("#photos-error", "page0.html, page1.html, page2.html and 3 more files are no")
        page.evaluate(_DROP, [["one.mkv", ""], ["a.jpg", "image/jpeg"], ["two.mp4", "video/mp4"]])
        assert page.locator("#panel-video").is_visible()
        visit.shows("#video-error", "one.mkv cannot be played by this browser")
        visit.shows("#video-error", "One video at a time: a.jpg and two.mp4 were left out.")


@pytest.mark.parametrize("place", PLACES)
def test_a_video_without_a_face(chromium: Browser, address: str, tmp_path: Path, place: str):
    store.fetch("yunet", from_file=yunet_path())
    clip = short_clip(tmp_path / "sky.mp4", "no_face.mp4")
    with chromium.visit(address) as visit:
        page = visit.open().page
        visit.use(place)
        page.click("#tab-video")
        page.set_input_files("#video-input", clip)
        visit.shows("#video-progress", "frames done, no face found.")
        visit.shows("#video-faces .none", "No face was found in this video.")
        assert page.locator("#video-faces .face").count() == 0
        rows = visit.saved("video", "Save table").decode().splitlines()
        assert rows == [",".join(columns(FER2013.keys, with_raw=True))]
