"""An open container as upright RGB pictures with their times: what files and streams share."""

from collections.abc import Generator
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING

from mien.errors import SourceError
from mien.samples import Image
from mien.sources.decoding import Decoder
from mien.sources.rgb import RgbConverter
from mien.sources.source import SourceInfo
from mien.sources.timestamps import Timeline

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

VIDEO_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,live_flv,asf,ogg,"
    "mxf,wtv,rm,dv,ivf,obu,av1,h264,hevc,vvc,vc1,mjpeg,yuv4mpegpipe,nut,gif,nsv,swf,ty,gxf,vob"
)
"""FFmpeg's formats that people call video. It takes text, pictures and lists of other files for
video too; what is not named here is not opened."""


class OpenVideo:
    """The pictures of an open container, which it owns and closes.

    Args:
        container: as `av.open` gives it.
        name: what error messages call it.
        max_pixels: width times height above which it is refused by its header.
        is_live: decode without delay, and take the first frame for time 0.
        before: the same stream as it was opened before; sizes and times go on from it.

    Raises:
        SourceError: nothing in it can be shown; it is closed.
    """

    def __init__(
        self,
        container: "InputContainer",
        name: str,
        *,
        max_pixels: int,
        is_live: bool = False,
        before: "OpenVideo | None" = None,
    ) -> None:
        self._container = container
        try:
            self.decoder = Decoder(container, name, max_pixels=max_pixels, is_live=is_live)
            decoded = self.decoder.frames()
            # Its matrix tells the upright size, and a file without any frame is refused here.
            first = first_frame(decoded, name)
        except BaseException:
            container.close()
            raise
        self._frames = chain([first], decoded)
        origin_s = None if is_live else origin_of(self.decoder, first)
        self.timeline: Timeline = Timeline(self.decoder.interval_s, origin_s)
        self._converter: RgbConverter = RgbConverter(self.decoder.pixel_shape)
        if before is not None:
            self.timeline, self._converter = before.timeline, before._converter
        self.info: SourceInfo = self.decoder.info(
            name,
            self._converter.shown_size(first),
            origin_s=float(origin_s or 0),
            is_live=is_live,
        )

    def pictures(self) -> Generator[tuple[Image, float]]:
        """Upright RGB pictures and their times in seconds; once.

        Raises:
            OSError, av.FFmpegError: the file or connection cannot be read on.
        """
        for frame in self._frames:
            yield self._converter.convert(frame), self.timeline.time_of(stamp_of(frame))

    def close(self) -> None:
        """Close the container; may be called twice."""
        self._container.close()


def first_frame(decoded: Generator["VideoFrame"], name: str) -> "VideoFrame":
    """The first frame of a video.

    Raises:
        SourceError: there is none.
    """
    from av.error import FFmpegError

    try:
        first = next(decoded, None)
    except (OSError, FFmpegError) as error:
        advice = "get a complete copy"
        if name.lower().startswith("http"):  # an index at the end needs a server that can jump
            advice = "the server may not send parts of files: download it and name the file"
        raise SourceError(f"cannot read {name}: {reason_of(error)}; {advice}") from error
    if first is None:
        raise SourceError(
            f"{name} holds no frame that can be decoded; get a complete copy or convert it to H.264"
        )
    return first


def reason_of(error: Exception) -> str:
    """What FFmpeg says was wrong, without the path and the number, in lower case."""
    reason = getattr(error, "strerror", None) or str(error).split("\n")[0]
    return reason[:1].lower() + reason[1:]


def origin_of(decoder: Decoder, first: "VideoFrame") -> Fraction | None:
    """Time stamp that is time 0, in seconds; None where nothing is known."""
    starts = [start for start in (decoder.origin_s, stamp_of(first)) if start is not None]
    return min(starts, default=None)


def stamp_of(frame: "VideoFrame") -> Fraction | None:
    """Time stamp of a frame, in seconds; None where it has none."""
    if frame.pts is None or not frame.time_base:
        return None
    return frame.pts * frame.time_base
