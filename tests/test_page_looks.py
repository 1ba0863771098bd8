"""The page in Chromium: what it is like for eyes, readers and hidden tabs."""

import itertools
import re
from pathlib import Path

import pytest

from browser_factory import (
    MANY,
    NODE_MODULES,
    SINGLE,
    Browser,
    media,
)
from mien.images import read_image
from mien.labels import FER2013

pytest_plugins = ["page_fixtures"]


@pytest.mark.parametrize("width", [320, 1280])
def test_tags_and_bars_have_their_numbers_at_any_width(chromium: Browser, address: str, width: int):
    with chromium.visit(address, viewport={"width": width, "height": 800}) as visit:
        page = visit.page
        page.add_init_script(
            """globalThis.drawn = [];
            const { fillText } = CanvasRenderingContext2D.prototype;
            CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
                drawn.push([text, parseFloat(this.font.match(/([0-9.]+)px/)[1])]);
                return fillText.call(this, text, ...rest);
            };"""
        )
        visit.open()
        visit.choose_photos(media(MANY))
        visit.photos(1)
        visit.waits_for("drawn.length >= 5")
        drawn = page.evaluate("drawn.slice(-5)")
        shown = page.locator(".photo .shown").all_inner_texts()
        assert [text for text, _ in drawn] == [f"{k}  {text}" for k, text in enumerate(shown, 1)]
        assert min(size for _, size in drawn) >= 12
        values = page.locator(".photo .value").all_inner_texts()
        assert len(values) == 5 * len(FER2013.keys)
        assert all(text.endswith("%") for text in values)
        heights = page.locator(".photo .shown").evaluate_all(
            "(all) => all.map((one) => one.getClientRects().length * one.offsetHeight)"
        )
        assert max(heights) == min(heights) < 40  # one line each
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_labels_are_announced_at_most_every_two_seconds(chromium: Browser, address: str):
    with chromium.visit(address) as visit:
        page = visit.open().page
        page.evaluate(
            """() => {
                globalThis.heard = [];
                const place = document.querySelector("#heard");
                new MutationObserver(() => heard.push([performance.now(), place.textContent]))
                    .observe(place, { childList: true, characterData: true, subtree: true });
            }"""
        )
        assert page.locator("#heard").get_attribute("aria-live") == "polite"
        page.click("#camera-start")
        visit.waits_for("heard.length >= 4")
        heard = page.evaluate("heard")
        gaps_ms = [later[0] - sooner[0] for sooner, later in itertools.pairwise(heard)]
        assert min(gaps_ms) > 1950  # observers are told a little later than at once
        names = "|".join(label.display_name for label in FER2013)
        assert all(re.fullmatch(rf"(Face \d+: ({names})\.\s?)+", text) for _, text in heard)


def test_a_mirror_and_its_switch(chromium: Browser, address: str):
    is_mirrored = "document.querySelector('#camera-video').classList.contains('mirrored')"
    with chromium.visit(address) as visit:
        page = visit.open().page
        page.click("#camera-start")
        page.wait_for_selector("#camera-faces .face")
        assert page.evaluate(is_mirrored)
        mirrored = read_image(visit.saved("camera", "Save picture"))
        page.uncheck("#camera-mirror")
        assert not page.evaluate(is_mirrored)
        plain = read_image(visit.saved("camera", "Save picture"))
        # The face of the film is in the left half, so a mirror shows it in the right one.
        left, right = mirrored[:, :320].mean(), mirrored[:, 320:].mean()
        assert (left < right) != (plain[:, :320].mean() < plain[:, 320:].mean())
        assert page.locator("#camera-list option").count() >= 1
        assert page.locator("#camera-list").is_enabled()
        tracks = page.evaluate_handle(
            "document.querySelector('#camera-video').srcObject.getTracks()"
        )
        page.click("#camera-stop")
        assert tracks.evaluate("(all) => all.map((track) => track.readyState)") == ["ended"]


def test_a_video_stops_while_nobody_sees_it(chromium: Browser, address: str):
    paused = "document.querySelector('#video-video').paused"
    with chromium.visit(address) as visit:
        page = visit.page
        # Headless tabs are always visible.
        page.add_init_script(
            """globalThis.isHidden = false;
            Object.defineProperty(Document.prototype, "hidden", { get: () => isHidden });
            globalThis.hide = (value) => {
                isHidden = value;
                document.dispatchEvent(new Event("visibilitychange"));
            };"""
        )
        visit.open()
        page.click("#tab-video")
        page.evaluate("document.querySelector('#video-video').loop = true")
        page.set_input_files("#video-input", media(SINGLE))
        page.wait_for_selector("#video-faces .face")
        visit.waits_for(f"!{paused}")
        page.evaluate("hide(true)")
        assert page.evaluate(paused)
        visit.shows("#video-pace", "Paused while this tab is hidden.")
        shown = page.evaluate("document.querySelector('#video-pace').dataset.frames")
        page.wait_for_timeout(1000)
        # One may have been on its way.
        more = page.evaluate("document.querySelector('#video-pace').dataset.frames")
        assert int(more) <= int(shown) + 2
        page.evaluate("hide(false)")
        visit.waits_for(f"!{paused}")
        visit.waits_for(f"document.querySelector('#video-pace').dataset.frames > {int(more) + 3}")
        page.click("#tab-photos")
        assert page.evaluate(paused)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_accessibility(chromium: Browser, address: str, theme: str, width: int, tmp_path: Path):
    source = NODE_MODULES / "axe-core" / "axe.min.js"
    if not source.is_file():
        pytest.skip("axe-core is not there; get it with: make page")
    viewport = {"width": width, "height": 844}
    context = {"color_scheme": theme, "viewport": viewport, "bypass_csp": True}
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    with chromium.visit(address, **context) as visit:
        page = visit.open().page
        page.evaluate(source.read_text(encoding="utf-8"))
        assert page.evaluate("document.documentElement.scrollWidth") <= width

        def violations() -> list[str]:
            found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
            return [
                f"{one['id']}: {one['nodes'][0]['html'][:120]}"
                for one in found
                if one["impact"] in ("serious", "critical")
            ]

        assert violations() == [], "empty"
        page.click("#camera-start")
        page.wait_for_selector("#camera-faces .face .value:not(:empty)")
        assert violations() == [], "camera"
        page.click("#camera-stop")
        visit.choose_photos(media(MANY), tmp_path / "broken.jpg")
        page.click("#tab-photos")
        visit.photos(1)
        page.wait_for_selector(".photo .error")
        assert violations() == [], "photos"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.click("#tab-video")
        assert violations() == [], "video"
