"""The window of `mien live`: a picture, a line of status below it, and keys.

SDL draws without the graphics card, because a picture that is made on the processor reaches an X
server fastest that way (0.2 ms for 1280 x 740 pixels; 6 ms through OpenGL in software). Only
SDL's display is started: no sound, no joysticks.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import numpy as np

from mien.errors import WindowError, needs_extra
from mien.live.status import Status, draw_help, draw_status, status_height_px
from mien.samples import Image

if TYPE_CHECKING:
    import pygame
    from typing_extensions import Buffer

HELP_S = 8.0
"""Seconds after which the help of keys goes away by itself."""
SMALLEST_PX = (640, 360)
"""A smaller picture is enlarged to this when the window opens, so that the status has room."""
_PART_OF_DESKTOP = 0.9
_NOT_SEEN = ("dummy", "offscreen", "evdev")
"""SDL's drivers without a display; it takes them silently where there is no other."""
_ADVICE = "to work without a window, use: mien recognize VIDEO --out FILE.mp4"


class Event(Enum):
    """What a person asked the window for."""

    QUIT = auto()
    RECORD = auto()
    SNAPSHOT = auto()
    MIRROR = auto()
    FREEZE = auto()


class Window:
    """A window that can be resized and keeps the picture's proportions. For the main thread.

    Args:
        title: its title.
        width: width of the pictures in pixels; the window is made to fit the desktop.
        height: height of the pictures.
        driver: SDL's name of a video driver, ``dummy`` for a window that nobody sees; None: the
            one that ``SDL_VIDEODRIVER`` names, SDL's own variable, else that of the desktop.

    Raises:
        MissingExtraError: pygame-ce is not installed.
        WindowError: there is no display, or it takes no window.
    """

    def __init__(self, title: str, width: int, height: int, *, driver: str | None = None) -> None:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        with needs_extra("live"):
            import pygame
        self._pygame = pygame
        driver = driver or os.environ.get("SDL_VIDEODRIVER") or None
        try:
            with _environment(_sdl_variables(driver)):
                pygame.display.init()
                if driver is None and pygame.display.get_driver() in _NOT_SEEN:
                    raise WindowError(f"cannot open a window: there is no display; {_ADVICE}")
                size = _first_size((width, height), pygame.display.get_desktop_sizes())
                pygame.display.set_mode(size, pygame.RESIZABLE)
        except pygame.error as error:
            pygame.display.quit()
            display = os.environ.get("DISPLAY")
            where = f"display {display}: " if display and driver in (None, "x11") else ""
            raise WindowError(f"cannot open a window: {where}{error}; {_ADVICE}") from error
        except WindowError:
            pygame.display.quit()
            raise
        pygame.display.set_caption(title)
        self._picture: pygame.Surface | None = None
        self._status = Status()
        self._status_strip: tuple[tuple[Status, tuple[int, int]], pygame.Surface] | None = None
        self._help_until_s = time.monotonic() + HELP_S
        self._is_help_shown = True

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the window now."""
        return self._pygame.display.get_window_size()

    def show(self, image_rgb: Image, status: Status) -> None:
        """Show a picture.

        Args:
            image_rgb: uint8 (H, W, 3) RGB, of any size; not changed from now on, because the
                window draws it again when it has to.
            status: what the line below it says.
        """
        height, width = image_rgb.shape[:2]
        self._picture = self._pygame.image.frombuffer(_buffer(image_rgb), (width, height), "RGB")
        self._status = status
        self._draw()

    def tell(self, status: Status) -> None:
        """Change the line of status under the same picture."""
        if status != self._status:
            self._status = status
            self._draw()

    def poll(self) -> tuple[Event, ...]:
        """What a person did since the last call; resizing and the help are seen to here."""
        pygame, events, is_stale = self._pygame, [], False
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                events.append(Event.QUIT)
            elif event.type == pygame.KEYDOWN:
                asked = self._asked_by(event)
                events += [asked] if asked is not None else []
            elif event.type in (pygame.VIDEOEXPOSE, pygame.VIDEORESIZE):
                is_stale = True
        if self._is_help_shown and time.monotonic() > self._help_until_s:
            self._is_help_shown, is_stale = False, True
        if is_stale:
            self._draw()
        return tuple(events)

    def close(self) -> None:
        """Close the window; may be called twice."""
        self._pygame.display.quit()

    def __enter__(self) -> Self:
        """The window itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the window."""
        self.close()

    def _asked_by(self, event: "pygame.event.Event") -> Event | None:
        pygame = self._pygame
        key = event.key
        if key > 127:  # a keyboard of another script: the key at the same place
            key = {
                pygame.KSCAN_Q: pygame.K_q,
                pygame.KSCAN_R: pygame.K_r,
                pygame.KSCAN_S: pygame.K_s,
                pygame.KSCAN_M: pygame.K_m,
                pygame.KSCAN_H: pygame.K_h,
            }.get(event.scancode, key)
        if event.mod & (pygame.KMOD_CTRL | pygame.KMOD_ALT | pygame.KMOD_META):
            return None  # meant for somebody else
        if key == pygame.K_h:
            self._is_help_shown, self._help_until_s = not self._is_help_shown, float("inf")
            self._draw()
        return {
            pygame.K_q: Event.QUIT,
            pygame.K_ESCAPE: Event.QUIT,
            pygame.K_r: Event.RECORD,
            pygame.K_s: Event.SNAPSHOT,
            pygame.K_m: Event.MIRROR,
            pygame.K_SPACE: Event.FREEZE,
        }.get(key)

    def _draw(self) -> None:
        """Draw everything; the bars beside a picture of other proportions are black."""
        pygame = self._pygame
        screen = pygame.display.get_surface()
        width, height = screen.get_size()
        strip_height = min(status_height_px(height), height)
        room = (width, height - strip_height)
        if self._picture is not None and min(room) > 0:
            place = pygame.Rect(fitted(self._picture.get_size(), room))
            if place.size != room:
                screen.fill((0, 0, 0))
            if place.size == self._picture.get_size():
                screen.blit(self._picture, place)
            else:
                # Pictures of 32 bits are scaled eight times as fast as those of 24.
                part = screen.subsurface(place)
                pygame.transform.smoothscale(self._picture.convert(), place.size, part)
        screen.blit(self._strip(width, height), (0, height - strip_height))
        if self._is_help_shown:
            self._draw_help(screen, height)
        pygame.display.flip()

    def _strip(self, width: int, height: int) -> "pygame.Surface":
        key = (self._status, (width, height))
        if self._status_strip is None or self._status_strip[0] != key:
            drawn = draw_status(self._status, width, height)
            surface = self._pygame.image.frombuffer(_buffer(drawn), (width, drawn.shape[0]), "RGB")
            self._status_strip = key, surface.convert()
        return self._status_strip[1]

    def _draw_help(self, screen: "pygame.Surface", height: int) -> None:
        panel = draw_help(height)
        size = panel.shape[1], panel.shape[0]
        margin = status_height_px(height) // 2
        screen.blit(self._pygame.image.frombuffer(_buffer(panel), size, "RGBA"), (margin, margin))


def fitted(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest place for a picture in some room, its proportions kept, in the middle.

    Args:
        size: width and height of the picture, in pixels.
        room: width and height of the room.

    Returns:
        Left, top, width and height, in pixels.
    """
    scale = min(room[0] / size[0], room[1] / size[1])
    width = min(room[0], max(1, round(size[0] * scale)))
    height = min(room[1], max(1, round(size[1] * scale)))
    return (room[0] - width) // 2, (room[1] - height) // 2, width, height


def _buffer(picture: Image) -> "Buffer":
    """A picture's bytes, without a copy where they lie in order."""
    return cast("Buffer", np.ascontiguousarray(picture))


def _first_size(picture: tuple[int, int], desktops: list[tuple[int, int]]) -> tuple[int, int]:
    """Size of a new window: the picture as it is, if the smallest desktop and its status allow."""
    most = min(desktops, default=(1280, 800))
    most = round(most[0] * _PART_OF_DESKTOP), round(most[1] * _PART_OF_DESKTOP)
    scale = max(1.0, min(SMALLEST_PX[0] / picture[0], SMALLEST_PX[1] / picture[1]))
    wanted = round(picture[0] * scale), round(picture[1] * scale)
    room = most[0], most[1] - status_height_px(most[1])
    if wanted[0] > room[0] or wanted[1] > room[1]:
        wanted = fitted(picture, room)[2:]
    return wanted[0], wanted[1] + _strip_below(wanted[1])


def _strip_below(picture_height: int) -> int:
    """Height of the status in a window that is filled by it and a picture of some height."""
    strip = status_height_px(picture_height)
    return status_height_px(picture_height + strip)


def _sdl_variables(driver: str | None) -> dict[str, str]:
    """What SDL reads from the environment while the window opens.

    Raises:
        WindowError: there is no display to be asked.
    """
    variables = {}
    if driver is None and sys.platform.startswith("linux"):
        # Named, so that SDL tries no others, whose libraries complain on stderr.
        names = {"WAYLAND_DISPLAY": "wayland", "DISPLAY": "x11"}
        found = [name for variable, name in names.items() if os.environ.get(variable)]
        if not found:
            raise WindowError(
                "cannot open a window: there is no display (neither DISPLAY nor WAYLAND_DISPLAY "
                f"is set); {_ADVICE}"
            )
        driver = ",".join(reversed(found))
    if driver is not None:
        variables["SDL_VIDEODRIVER"] = driver
    if driver == "x11" and "SDL_FRAMEBUFFER_ACCELERATION" not in os.environ:
        variables["SDL_FRAMEBUFFER_ACCELERATION"] = "0"
    return variables


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
