"""The window, on SDL's driver that nobody sees, and the line of status in it."""

import os
import subprocess
import sys

import numpy as np
import pytest

from mien.clock import clock
from mien.errors import MissingExtraError, WindowError
from mien.live import window as window_module
from mien.live.status import KEYS, Status, draw_help, draw_status, status_height_px
from mien.live.window import Event, Window, fitted

pygame = pytest.importorskip("pygame", reason="needs pygame-ce, of the extra live")


@pytest.fixture
def window():
    with Window("test", 640, 360, driver="dummy") as window:
        window.poll()
        press(pygame.K_h)
        window.poll()  # the help is away
        yield window


def press(key, *, mod=0, scancode=0):
    pygame.event.post(pygame.Event(pygame.KEYDOWN, key=key, mod=mod, scancode=scancode, unicode=""))


def screen():
    """What the window shows, uint8 (H, W, 3)."""
    return pygame.surfarray.array3d(pygame.display.get_surface()).transpose(1, 0, 2)


def halves(height, width):
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = (250, 10, 20)
    image[:, width // 2 :] = (10, 20, 250)
    return image


def test_keys_become_events(window):
    assert window.poll() == ()
    keys = (pygame.K_q, pygame.K_ESCAPE, pygame.K_r, pygame.K_s, pygame.K_m, pygame.K_SPACE)
    for key in (*keys, pygame.K_x):
        press(key)
    pygame.event.post(pygame.Event(pygame.QUIT))
    asked = [Event.QUIT, Event.QUIT, Event.RECORD, Event.SNAPSHOT, Event.MIRROR, Event.FREEZE]
    assert window.poll() == (*asked, Event.QUIT)
    assert window.poll() == ()


def test_keys_with_ctrl_are_meant_for_somebody_else(window):
    press(pygame.K_s, mod=pygame.KMOD_LCTRL)
    assert window.poll() == ()


def test_keyboards_of_other_scripts(window):
    press(0x0439, scancode=pygame.KSCAN_Q)  # й
    press(pygame.K_a, scancode=pygame.KSCAN_Q)  # AZERTY has its a there
    assert window.poll() == (Event.QUIT,)


def test_a_picture_is_shown_as_it_is_with_the_status_below(window):
    image = np.random.default_rng(0).integers(0, 256, (360, 640, 3), np.uint8)
    window.show(image, Status())
    width, height = window.size_px
    assert width == 640
    assert height == 360 + status_height_px(height)
    assert np.array_equal(screen()[:360], image)
    before = screen()[360:]
    window.tell(Status(recording_s=61.0, message="saved a.png"))
    assert not np.array_equal(screen()[360:], before)
    assert np.array_equal(screen()[:360], image)


def test_pictures_need_not_lie_in_order(window):
    image = np.random.default_rng(0).integers(0, 256, (360, 640, 3), np.uint8)
    window.show(image[:, ::-1], Status())
    assert np.array_equal(screen()[:360], image[:, ::-1])


def test_pictures_of_other_proportions_have_black_bars(window):
    window.show(np.full((360, 640, 3), 255, np.uint8), Status())
    window.show(halves(360, 360), Status())
    shown = screen()[:360]
    assert not shown[:, :138].any() and not shown[:, -138:].any()
    assert shown[180, 150].tolist() == [250, 10, 20]
    assert shown[180, 490].tolist() == [10, 20, 250]


def test_a_resized_window_keeps_the_proportions(window):
    window.show(halves(360, 640), Status())
    pygame.display.set_mode((900, 900), pygame.RESIZABLE)
    window.show(halves(360, 640), Status())
    shown = screen()
    strip = status_height_px(900)
    left, top, width, height = fitted((640, 360), (900, 900 - strip))
    assert (left, width) == (0, 900)
    assert not shown[: top - 1].any() and not shown[top + height + 1 : 900 - strip].any()
    assert shown[top + 5, 5].tolist() == [250, 10, 20]


@pytest.mark.parametrize("size", [(1, 1), (640, 20), (3, 900)])
def test_tiny_windows_are_no_failure(window, size):
    pygame.display.set_mode(size, pygame.RESIZABLE)
    window.show(halves(360, 640), Status(60.0, 0.01, message="a"))


def test_expose_draws_again(window):
    window.show(halves(360, 640), Status())
    pygame.display.get_surface().fill((1, 2, 3))
    pygame.event.post(pygame.Event(pygame.VIDEOEXPOSE))
    window.poll()
    assert screen()[5, 5].tolist() == [250, 10, 20]


def test_the_help_goes_away_by_itself(monkeypatch):
    with Window("test", 640, 360, driver="dummy") as window:
        image = halves(360, 640)
        window.show(image, Status())
        assert not np.array_equal(screen()[:360], image)
        monkeypatch.setattr(window_module.time, "monotonic", lambda: 1e12)
        window.poll()
        assert np.array_equal(screen()[:360], image)
        press(pygame.K_h)
        window.poll()
        window.poll()
        assert not np.array_equal(screen()[:360], image)


@pytest.mark.parametrize("picture", [(320, 180), (640, 360), (1080, 1920), (3840, 2160), (80, 60)])
def test_new_windows_fit_the_desktop(picture, monkeypatch):
    monkeypatch.setattr(pygame.display, "get_desktop_sizes", lambda: [(1920, 1080), (1280, 800)])
    with Window("test", *picture, driver="dummy") as window:
        width, height = window.size_px
        assert width <= 1280 * 0.9 and height <= 800 * 0.9
        assert width >= 640 or height >= 360
        room = height - status_height_px(height)
        assert width / room == pytest.approx(picture[0] / picture[1], rel=0.01)


def test_only_the_display_is_started_and_nothing_is_left(window):
    assert pygame.mixer.get_init() is None
    assert not pygame.joystick.get_init()
    window.close()
    window.close()
    assert not pygame.display.get_init()


def test_the_environment_is_as_it_was(monkeypatch):
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    Window("test", 64, 48, driver="dummy").close()
    assert "SDL_VIDEODRIVER" not in os.environ
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    Window("test", 64, 48).close()
    assert os.environ["SDL_VIDEODRIVER"] == "dummy"


def without_display(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_without_a_display_the_error_names_the_other_command(monkeypatch, capfd):
    without_display(monkeypatch)
    with pytest.raises(WindowError, match=r"no display .*mien recognize VIDEO --out"):
        Window("test", 64, 48)
    assert not pygame.display.get_init()
    monkeypatch.setenv("DISPLAY", ":9987")
    with pytest.raises(WindowError, match=r"x11 not available; .*mien recognize"):
        Window("test", 64, 48)
    assert capfd.readouterr() == ("", "")


def test_a_display_that_nobody_sees_is_none(monkeypatch):
    without_display(monkeypatch)
    monkeypatch.setattr(window_module.sys, "platform", "another")
    monkeypatch.setattr(pygame.display, "init", lambda: None)
    monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")
    with pytest.raises(WindowError, match=r"there is no display; .*mien recognize"):
        Window("test", 64, 48)


def test_an_unknown_driver(monkeypatch):
    with pytest.raises(WindowError, match="nonsense not available"):
        Window("test", 64, 48, driver="nonsense")


def test_without_pygame_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(MissingExtraError, match=r"pip install '.*\[live\]'"):
        Window("test", 64, 48)


def test_pygame_prints_no_banner():
    script = "from mien.live.window import Window; Window('t', 8, 8, driver='dummy').close()"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_places_keep_proportions():
    assert fitted((640, 360), (1280, 720)) == (0, 0, 1280, 720)
    assert fitted((100, 200), (300, 300)) == (75, 0, 150, 300)
    assert fitted((10_000, 1), (50, 50)) == (0, 24, 50, 1)


@pytest.mark.parametrize("height", [200, 360, 1080, 2160])
@pytest.mark.parametrize("width", [1, 100, 640, 3840])
def test_the_status_has_its_size_at_every_window(width, height):
    status = Status(29.97, 0.0123, 5, 3725.0, True, "saved /a/very/long/path/" + 20 * "x/")
    assert draw_status(status, width, height).shape == (status_height_px(height), width, 3)


def test_every_part_of_the_status_shows():
    plain = draw_status(Status(30.0, 0.01), 800, 400)
    changes = (
        *(Status(31.0, 0.01), Status(30.0, 0.02), Status(30.0, 0.01, 1)),
        *(Status(30.0, 0.01, recording_s=0.0), Status(30.0, 0.01, is_frozen=True)),
        Status(30.0, 0.01, message="saved a.png"),
    )
    pictures = [plain, *(draw_status(status, 800, 400) for status in changes)]
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


def test_long_messages_are_cut_and_cover_nothing():
    figures = Status(30.0, 0.01, 3, 5.0)
    long = Status(30.0, 0.01, 3, 5.0, message="saved " + "x" * 500)
    left = np.s_[:, :250]
    assert np.array_equal(draw_status(figures, 640, 400)[left], draw_status(long, 640, 400)[left])


def test_the_help_lets_the_picture_through_and_knows_every_key():
    panel = draw_help(400)
    assert panel.shape[2] == 4
    assert 0 < panel[panel.shape[0] // 2, 2, 3] < 255
    assert {keys for keys, _ in KEYS} == {"q, Esc", "r", "s", "m", "space", "h"}
    assert draw_help(1600).shape > panel.shape


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (61.9, "1:01"), (3725, "1:02:05")])
def test_clock(seconds, text):
    assert clock(seconds, rounded=False) == text
