"""The video with what was recognised drawn into it."""

from pathlib import Path

from mien.drawing import Annotator
from mien.outputs.video_writer import VideoWriter
from mien.paths import VIDEO_SUFFIX, check_suffix
from mien.results import FrameResult
from mien.sources.source import Frame, SourceInfo


class AnnotatedVideo:
    """An `Output`: boxes, labels and charts drawn into each frame, at its own time, as MP4.

    Without a frame there is no video, and nothing is written.

    Args:
        path: ``.mp4``.
        info: the source; it says how long the last frame is shown, and where its sound begins.
        audio_from: a file whose sound is brought along, usually the source itself; None for a
            silent video.

    Raises:
        OutputError: the ending is another.
    """

    def __init__(self, path: Path, info: SourceInfo, *, audio_from: Path | None = None) -> None:
        check_suffix(path, [VIDEO_SUFFIX], "video")
        self.path = path
        self._info = info
        self._audio_from = audio_from
        self._annotator = Annotator()
        self._writer: VideoWriter | None = None

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Draw and add one frame; see `mien.outputs.output.Output`."""
        if self._writer is None:
            height, width = frame.image_rgb.shape[:2]
            self._writer = VideoWriter(
                self.path,
                width_px=width,
                height_px=height,
                frame_rate_hz=self._info.frame_rate_hz,
                audio_from=self._audio_from,
                audio_origin_s=self._info.origin_s,
            )
        self._writer.write(self._annotator.annotate(frame.image_rgb, result), frame.time_s)

    def close(self) -> None:
        """Complete the file; see `mien.outputs.output.Output`."""
        if self._writer is not None:
            self._writer.close()
