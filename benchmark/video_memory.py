"""Resident memory while a long video runs: after 1,000 frames beside after 20,000.

    python benchmark/video_memory.py CLIP [--yunet FILE] [--frames 20000] [--every 1000]

The frames of CLIP, decoded again and again, go through the whole chain into every kind of output:
annotated video, table, segments and timeline. Printed is the resident memory of the process.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mien.outputs.tables import Table
from mien.recognition.detectors import load_detector
from mien.recognition.detectors.yunet import YuNet
from mien.recognition.recognizer import Recognizer
from mien.recognition.video_recognizer import VideoRecognizer, video_search_side_px
from mien.results import FrameResult
from mien.samples import Image
from mien.sources import open_frames
from mien.sources.arrays import ArrayFrames
from mien.workflows.files import open_outputs
from mien.workflows.pipeline import run


def resident_mb() -> float:
    """Resident memory of this process now, in MB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def repeated(clip: Path, count: int) -> Iterator[Image]:
    """So many frames of a clip, from its beginning again whenever it ends."""
    given = 0
    while given < count:
        with open_frames(clip) as source:
            for frame in source:
                yield frame.image_rgb
                given += 1
                if given == count:
                    return


def main() -> None:
    """Run, and print the memory as it goes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--yunet", type=Path, metavar="FILE", help="YuNet's file, if not fetched")
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--every", type=int, default=1_000)
    arguments = parser.parse_args()

    side_px = video_search_side_px(640, 360)
    detector = (
        YuNet(arguments.yunet, search_side_px=side_px)
        if arguments.yunet
        else load_detector("yunet", search_side_px=side_px)
    )
    recognizer = VideoRecognizer(Recognizer(detector=detector))
    taken_mb: list[float] = []

    def note(result: FrameResult) -> None:
        if (result.frame + 1) % arguments.every == 0:
            taken_mb.append(resident_mb())
            print(f"{result.frame + 1:7,} frames: {taken_mb[-1]:7.1f} MB", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        source = ArrayFrames(repeated(arguments.clip, arguments.frames), frame_rate_hz=24.0)
        names = ("annotated.mp4", "table.parquet", "table.csv", "segments.vtt", "timeline.html")
        video, parquet, table, segments, timeline = (Path(folder, name) for name in names)
        keys = recognizer.recognizer.classifier.label_set.keys
        outputs = open_outputs(
            source.info,
            recognizer.recognizer,
            video=video,
            segments=[segments],
            timelines=[timeline],
        )
        outputs += [Table(path, keys, of_videos=True) for path in (parquet, table)]
        run(source, recognizer, outputs, on_result=note)
        sizes = ", ".join(f"{name} {Path(folder, name).stat().st_size:,}" for name in names)
    print(f"bytes: {sizes}")
    print(f"from the first to the last: {taken_mb[-1] - taken_mb[0]:+.1f} MB")


if __name__ == "__main__":
    main()
