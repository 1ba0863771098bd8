"""Time of a frame of video: mien against the usual loop, one face against ten, file to file.

    python benchmark/video.py CLIP [--yunet FILE] [--frames 200] [--rounds 3]

CLIP is a video with one face in every frame; its frames are decoded before the clock starts. All
ways go through the same frames, in turn, for some rounds:

- mien, whole frame: detect, classify, track, smooth, draw; also step by step;
- the usual loop, as published: Haar's ``detectMultiScale(1.3, 3)``, ``model.predict`` of
  ``plain_cnn`` for each face, ``cv2.rectangle`` and ``cv2.putText`` (fewer frames: it is slow);
- mien on frames that hold ten faces, made of the clip's face in two rows of five;
- mien from file to annotated H.264 file with its sound, as ``mien recognize CLIP --out FILE``.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import keras
import numpy as np

from mien import zoo
from mien.drawing import Annotator
from mien.labels import FER2013
from mien.model.sessions import VIDEO_THREADS
from mien.recognition.detectors import load_detector
from mien.recognition.detectors.yunet import YuNet
from mien.recognition.recognizer import Recognizer
from mien.recognition.video_recognizer import VideoRecognizer, video_search_side_px
from mien.results import FrameResult
from mien.samples import Image
from mien.sources import open_frames
from mien.workflows.videos import recognize_video

USUAL_FRAMES = 40
FACE_PX = 112


class Clock:
    """Milliseconds of every pass through a frame, by name."""

    def __init__(self) -> None:
        self.taken_ms: dict[str, list[float]] = {}
        self.worked_ms: dict[str, list[float]] = {}
        """Processor time of all threads, which other work disturbs less."""

    def time(self, name: str, call: Callable[[], object]) -> object:
        """Call, note the time, and pass the result on."""
        start, started_work = time.perf_counter(), time.process_time()
        result = call()
        self.taken_ms.setdefault(name, []).append(1e3 * (time.perf_counter() - start))
        self.worked_ms.setdefault(name, []).append(1e3 * (time.process_time() - started_work))
        return result

    def median_ms(self, name: str) -> float:
        """Median of a name."""
        return statistics.median(self.taken_ms[name])

    def median_work_ms(self, name: str) -> float:
        """Median processor time of a name."""
        return statistics.median(self.worked_ms[name])

    def line(self, name: str) -> str:
        """Median and 95th percentile of a name, and the median of its processor time."""
        p95 = np.percentile(self.taken_ms[name], 95)
        work_ms = self.median_work_ms(name)
        return f"{name:46s} {self.median_ms(name):8.2f} {p95:8.2f} {work_ms:8.2f}"


def ten_faces(image_rgb: Image, result: FrameResult) -> Image:
    """The face of a frame, ten times, on the frame's blurred picture."""
    x, y, width, height = result.faces[0].box_xywh_px
    center_x, center_y, side = x + width / 2, y + height / 2, 1.6 * max(width, height)
    left, top = (max(0, round(center - side / 2)) for center in (center_x, center_y))
    face = image_rgb[top : round(center_y + side / 2), left : round(center_x + side / 2)]
    face = cv2.resize(face, (FACE_PX, FACE_PX), interpolation=cv2.INTER_AREA)
    canvas = np.ascontiguousarray(cv2.blur(image_rgb, (61, 61)))
    rows, columns = canvas.shape[:2]
    for row in range(2):
        for column in range(5):
            at_y = round((row + 0.5) * rows / 2 - FACE_PX / 2)
            at_x = round((column + 0.5) * columns / 5 - FACE_PX / 2)
            canvas[at_y : at_y + FACE_PX, at_x : at_x + FACE_PX] = face
    return canvas


def whole_frames(
    clock: Clock, name: str, recognizer: Recognizer, frames: Sequence[Image], faces: int
) -> None:
    """Every frame through recognition and drawing."""
    video, annotator = VideoRecognizer(recognizer), Annotator()

    def one(number: int) -> FrameResult:
        image = frames[number]
        result = video.recognize(image, frame=number, time_s=number / 25)
        annotator.annotate(image, result)
        return result

    for number in range(len(frames)):
        result = clock.time(name, lambda number=number: one(number))
        assert isinstance(result, FrameResult)
        if len(result.faces) != faces:
            raise SystemExit(f"frame {number}: {len(result.faces)} faces in place of {faces}")


def steps(clock: Clock, recognizer: Recognizer, frames: Sequence[Image]) -> None:
    """The same step by step."""
    video, annotator = VideoRecognizer(recognizer), Annotator()
    detector = video.recognizer.detector
    for number, image in enumerate(frames):
        clock.time("  detect", lambda image=image: detector.detect(image))
        result = clock.time(
            "  detect, classify, track, smooth",
            lambda image=image, number=number: video.recognize(
                image, frame=number, time_s=number / 25
            ),
        )
        assert isinstance(result, FrameResult)
        clock.time("  draw", lambda image=image, result=result: annotator.annotate(image, result))


def usual_loop(clock: Clock, frames: Sequence[Image]) -> None:
    """What most code of this field does with a frame."""
    cascade = cv2.CascadeClassifier(
        str(Path(cv2.data.haarcascades, "haarcascade_frontalface_default.xml"))
    )
    network = zoo.build("plain_cnn", zoo.ARCHITECTURES["plain_cnn"].default_input, len(FER2013))
    network.predict(np.zeros((1, 48, 48, 1), np.float32), verbose=0)
    names = [label.display_name for label in FER2013]

    def one(frame_bgr: Image) -> None:
        grey = cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2GRAY)
        for x, y, width, height in cascade.detectMultiScale(grey, 1.3, 3):
            tile = cv2.resize(grey[y : y + height, x : x + width], (48, 48)) / 255.0
            scores = network.predict(tile[np.newaxis, ..., np.newaxis], verbose=0)
            cv2.rectangle(frame_bgr, (x, y), (x + width, y + height), (255, 0, 0), 2)
            name = names[int(np.argmax(scores))]
            cv2.putText(frame_bgr, name, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 0, 0), 2)

    for image in frames:
        frame_bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        clock.time("the usual loop", lambda frame_bgr=frame_bgr: one(frame_bgr))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--yunet", type=Path, metavar="FILE", help="YuNet's file, if not fetched")
    parser.add_argument("--model", default="default")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    side_px = video_search_side_px(640, 360)
    detector = (
        YuNet(arguments.yunet, search_side_px=side_px, threads=VIDEO_THREADS)
        if arguments.yunet
        else load_detector("yunet", search_side_px=side_px, threads=VIDEO_THREADS)
    )
    recognizer = Recognizer(arguments.model, detector, threads=VIDEO_THREADS)
    with open_frames(arguments.clip) as source:
        frames = [
            frame.image_rgb for frame, _ in zip(source, range(arguments.frames), strict=False)
        ]
    first = VideoRecognizer(recognizer).recognize(frames[0])
    crowded = [ten_faces(image, first) for image in frames]

    clock, rates_hz = Clock(), []
    for _ in range(arguments.rounds):
        whole_frames(clock, "mien, one face", recognizer, frames, 1)
        steps(clock, recognizer, frames)
        whole_frames(clock, "mien, ten faces", recognizer, crowded, 10)
        usual_loop(clock, frames[:USUAL_FRAMES])
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            done = recognize_video(
                arguments.clip, recognizer=recognizer, out=Path(folder, "annotated.mp4")
            )
            rates_hz.append(len(done.frames) / (time.perf_counter() - start))

    height, width = frames[0].shape[:2]
    card = recognizer.classifier.card
    print(f"{card.name}, {detector.name}, {width} x {height}, {cv2.getNumThreads()} processors")
    print(f"load {os.getloadavg()[0]:.1f}")
    print(f"{'whole frame':46s} {'median ms':>8s} {'p95 ms':>7s} {'work ms':>8s}")
    for name in clock.taken_ms:
        print(clock.line(name))
    one, ten, usual = (
        clock.median_ms(name) for name in ("mien, one face", "mien, ten faces", "the usual loop")
    )
    work = clock.median_work_ms("the usual loop") / clock.median_work_ms("mien, one face")
    print(f"the usual loop takes {usual / one:.1f} times as long, {work:.1f} times the work")
    print(f"ten faces take {ten / one:.2f} times as long as one")
    print(
        f"file to annotated H.264: {statistics.median(rates_hz):.0f} frames/s "
        f"(slowest round {min(rates_hz):.0f})"
    )
    keras.utils.clear_session()


if __name__ == "__main__":
    main()
