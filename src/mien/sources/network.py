"""Streams and videos at an address, through FFmpeg (PyAV).

Every wait has an end. FFmpeg's own time-outs were not enough: a name is looked up without one,
and opening takes several steps with one each. So a connection is opened in a thread of its own,
which is left behind when its time is over. A stream that drops is opened again after 0.5, 1, 2,
4 ... seconds; a video that has an end is not.
"""

import threading
import time
from collections.abc import Callable, Generator
from itertools import count
from typing import TYPE_CHECKING

from mien.errors import SourceError, VideoError
from mien.sources.addresses import check_address, masked
from mien.sources.base import OneWaySource
from mien.sources.decoding import MAX_FRAME_PIXELS, decoder_options
from mien.sources.files import finite_frames
from mien.sources.opened import VIDEO_FORMATS, OpenVideo, reason_of
from mien.sources.source import Frame

if TYPE_CHECKING:
    from av.container import InputContainer

RETRIES = 5
"""Attempts to open a stream again before it is given up: about 15 seconds of waiting."""

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0
_PROTOCOLS = "http,https,httpproxy,tls,tcp,udp,rtp,srtp,rtsp,rtmp,rtmps,rtmpt,crypto"
"""What FFmpeg may use; files are not among it, so a playlist from afar cannot name one here."""
_FORMATS = f"{VIDEO_FORMATS},hls,dash,rtsp,rtp,sdp,mpjpeg"
_ADVICE = "; check the address and the network"
_WITH_SIZE = ("http", "https")


class NetworkStream(OneWaySource):
    """The frames of a stream or video at an address; a `FrameSource`.

    A video file on a web server has a length: all of its frames are given, at the pace at which
    they are taken, and it ends. Everything else is live.

    Args:
        address: rtsp, http, rtmp, rtp, udp or tcp, and their secure kinds.
        timeout_s: longest wait for the connection, and for each frame.
        retries: attempts to open a live stream again after it dropped; counted anew once it
            has delivered a frame.
        on_event: told when a stream drops and when it is back, and of damaged places.
        max_pixels: width times height above which it is refused before decoding.

    Raises:
        SourceError: it cannot be opened within the time; passwords are not printed.
        ValueError: the time is not positive, or the retries are negative.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout_s: float = 10,
        retries: int = RETRIES,
        on_event: Callable[[str], None] = lambda message: None,
        max_pixels: int = MAX_FRAME_PIXELS,
    ) -> None:
        if not timeout_s > 0 or retries < 0:
            raise ValueError(f"expected a time above 0 and retries from 0, got {timeout_s} s")
        self._scheme = check_address(address)
        self._address = address
        self._timeout_s = timeout_s
        self._retries = retries
        self._on_event = on_event
        self._max_pixels = max_pixels
        self._name = masked(address)
        self._began_s = time.monotonic()
        self._video: OpenVideo | None = self._open()
        super().__init__(self._video.info)

    def _frames(self) -> Generator[Frame]:
        if self._video is None:
            return
        if not self.info.is_live:
            yield from finite_frames(self._video, self._name, self._on_event)
            return
        numbers = count()
        while True:
            reason = yield from self._until_drop(self._video, numbers)
            before = self._video
            before.close()
            if self._closed.is_set():
                return
            self._video = self._again(before, reason)
            before.timeline.resume(time.monotonic() - self._began_s)
            self._on_event(f"{self._name} is back")

    def _until_drop(self, video: OpenVideo, numbers: "count[int]") -> Generator[Frame, None, str]:
        """The frames of one connection; returns why it ended."""
        from av.error import FFmpegError

        waits_since_s = time.monotonic()
        try:
            for image_rgb, time_s in video.pictures():
                yield Frame(image_rgb, next(numbers), time_s)
                waits_since_s = time.monotonic()
        except (OSError, FFmpegError) as error:
            # FFmpeg does not always say that it was interrupted.
            if time.monotonic() - waits_since_s >= self._timeout_s:
                return f"no answer within {self._timeout_s:g} s"
            return self._reason(error)
        return "the other side ended it"

    def _again(self, before: OpenVideo, reason: str) -> OpenVideo:
        """Open the stream again, with longer and longer waits.

        Raises:
            VideoError: it stayed away.
        """
        wait_s = _FIRST_WAIT_S
        for attempt in range(1, self._retries + 1):
            self._on_event(
                f"{self._name} dropped ({reason}); trying again in {wait_s:g} s, "
                f"attempt {attempt} of {self._retries}"
            )
            if self._closed.wait(wait_s):
                break
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            try:
                return self._open(before)
            except SourceError as error:
                reason = str(error).removeprefix(f"cannot open {self._name}: ")
                reason = reason.removesuffix(_ADVICE)
        raise VideoError(
            f"{self._name} went away at {before.timeline.end_s:.1f} s ({reason}) and did not come "
            f"back in {self._retries} attempts; check the connection"
        )

    def _open(self, before: OpenVideo | None = None) -> OpenVideo:
        opening = _Opening(self._connect, before)
        return opening.result(
            self._timeout_s,
            f"cannot open {self._name}: no answer within {self._timeout_s:g} s{_ADVICE}",
        )

    def _connect(self, before: OpenVideo | None) -> OpenVideo:
        import av
        from av.error import FFmpegError

        try:
            container = av.open(
                self._address,
                metadata_errors="replace",
                options=self._options(),
                # Opening is given up after half of this, with a clearer message than FFmpeg's.
                timeout=(2 * self._timeout_s, self._timeout_s),
            )
        except (OSError, FFmpegError) as error:
            # Not chained: FFmpeg's own message holds the whole address.
            raise SourceError(f"cannot open {self._name}: {self._reason(error)}{_ADVICE}") from None
        return OpenVideo(
            container,
            self._name,
            max_pixels=self._max_pixels,
            is_live=before is not None or self._is_live(container),
            before=before,
        )

    def _options(self) -> dict[str, str]:
        options = {
            "protocol_whitelist": _PROTOCOLS,
            "format_whitelist": _FORMATS,
            **decoder_options(self._max_pixels),
        }
        if self._scheme.startswith("rtsp"):
            # Pictures torn by lost packets are worse than late ones.
            options["rtsp_flags"] = "prefer_tcp"
        return options

    def _is_live(self, container: "InputContainer") -> bool:
        """Whether it has no end: neither a length in time nor one in bytes."""
        if container.duration is not None and container.duration > 0:
            return False
        return not (self._scheme in _WITH_SIZE and container.size > 0)

    def _reason(self, error: Exception) -> str:
        from av.error import ExitError, InvalidDataError

        if isinstance(error, ExitError):
            return f"no answer within {self._timeout_s:g} s"
        if isinstance(error, InvalidDataError):
            return "what comes from there is no video"
        return masked(reason_of(error))

    def _release(self) -> None:
        if self._video is not None:
            self._video.close()
            self._video = None


class _Opening:
    """Opens a video in a thread, which is left behind if it takes too long."""

    def __init__(
        self, connect: Callable[[OpenVideo | None], OpenVideo], before: OpenVideo | None
    ) -> None:
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._is_given_up = False
        self._video: OpenVideo | None = None
        self._error: BaseException | None = None
        # A daemon: a name that is being looked up must not keep the program from ending.
        threading.Thread(
            target=self._run, args=(connect, before), name="mien-connect", daemon=True
        ).start()

    def _run(
        self, connect: Callable[[OpenVideo | None], OpenVideo], before: OpenVideo | None
    ) -> None:
        try:
            video = connect(before)
        except BaseException as error:  # raised again where the video is wanted
            self._error = error
        else:
            with self._lock:
                if not self._is_given_up:
                    self._video = video
            if self._video is None:
                video.close()
        finally:
            self._done.set()

    def result(self, timeout_s: float, complaint: str) -> OpenVideo:
        """Wait for the video.

        Raises:
            SourceError: it could not be opened, or took longer.
        """
        self._done.wait(timeout_s)
        with self._lock:
            self._is_given_up = True
        if self._video is not None:
            return self._video
        if self._error is not None:
            raise self._error
        raise SourceError(complaint)
