"""The Python API: one picture, a folder, a video, a stream; errors for what is no picture."""

import io
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import mien
from mien.errors import ImageTooLargeError, OutputError, PictureError, SourceError
from mien.images import as_image
from mien.recognition.fakes import FixedFaces
from mien.recognition.recognizer import Recognizer
from mien.recognition.segments import SegmentBuilder, SegmentStream
from mien.recognition.video_recognizer import VideoRecognizer
from mien.results import Detection
from mien.samples import Image
from mien.sources.source import SourceInfo
from onnx_factory import write_model
from picture_factory import gradient
from video_factory import make_clip

BOXES = [(4.0, 4.0, 20.0, 20.0), (30.0, 6.0, 22.0, 22.0)]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "tiny.onnx")


@pytest.fixture
def recognizer(model: Path) -> Recognizer:
    return Recognizer(model, FixedFaces(BOXES))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    PIL.Image.fromarray(gradient()).save(path)
    return path


class Searching(FixedFaces):
    """Fixed faces that remember at which sizes they were asked to search."""

    def __init__(self, search_side_px: int | None = None, asked: list[int] | None = None) -> None:
        super().__init__(BOXES)
        self.asked = [] if asked is None else asked
        self._side = search_side_px

    @property
    def search_side_px(self) -> int | None:
        return self._side

    def searching(self, search_side_px: int) -> "Searching":
        self.asked.append(search_side_px)
        return Searching(search_side_px, self.asked)

    def detect(self, image_rgb: Image) -> tuple[Detection, ...]:
        assert self._side is not None, "a video was searched as thoroughly as a photo"
        return super().detect(image_rgb)


def test_a_picture_may_be_given_in_every_form(photo: Path, recognizer: Recognizer) -> None:
    rgb = gradient()
    forms = {
        "path": photo,
        "text": str(photo),
        "bytes": photo.read_bytes(),
        "bytearray": bytearray(photo.read_bytes()),
        "memoryview": memoryview(photo.read_bytes()),
        "pillow": PIL.Image.fromarray(rgb),
        "array": rgb,
        "opaque RGBA": np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)]),
    }
    results = {
        name: mien.recognize(form, recognizer=recognizer)  # type: ignore[arg-type]
        for name, form in forms.items()
    }
    expected = results["array"]
    assert [face.box_xywh_px for face in expected.faces] == BOXES
    for name, result in results.items():
        np.testing.assert_array_equal(result.image_rgb, rgb, err_msg=name)
        assert result.faces == expected.faces, name
        assert result.result.source == (str(photo) if name in ("path", "text") else ""), name
    # The class that does the work takes the same.
    for form in forms.values():
        assert recognizer.recognize(form).faces == expected.faces  # type: ignore[arg-type]


def test_grey_arrays_and_pictures_become_rgb() -> None:
    grey = gradient()[..., 0]
    for form in (grey, grey[..., np.newaxis], PIL.Image.fromarray(grey)):
        rgb = as_image(form)
        assert rgb.shape == (*grey.shape, 3) and rgb.dtype == np.uint8
        np.testing.assert_array_equal(rgb, np.repeat(grey[..., np.newaxis], 3, axis=2))


def test_rgb_arrays_are_not_copied() -> None:
    rgb = gradient()
    assert as_image(rgb) is rgb


def test_pillow_pictures_are_turned_upright() -> None:
    picture = PIL.Image.fromarray(gradient(40, 60))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    stream = io.BytesIO()
    picture.save(stream, "png", exif=exif)
    opened = PIL.Image.open(io.BytesIO(stream.getvalue()))
    assert as_image(opened).shape == (60, 40, 3)
    np.testing.assert_array_equal(as_image(opened), as_image(stream.getvalue()))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (None, "got NoneType (cv2.imread gives None"),
        ([1, 2, 3], "got list"),
        (7, "got int"),
        (np.zeros((4, 4, 3), np.float32), "got float32 (4, 4, 3); scale its values to 0..255"),
        (np.zeros((4, 4, 3), np.int64), "got int64"),
        (np.zeros((4, 4, 2), np.uint8), "got uint8 (4, 4, 2)"),
        (np.zeros((2, 4, 4, 3), np.uint8), "got uint8 (2, 4, 4, 3)"),
        (np.zeros((0, 4, 3), np.uint8), "got uint8 (0, 4, 3)"),
    ],
    ids=str,
)
def test_what_is_no_picture_is_said(wrong: object, words: str, recognizer: Recognizer) -> None:
    for call in (
        lambda: mien.recognize(wrong, recognizer=recognizer),  # type: ignore[arg-type]
        lambda: recognizer.recognize(wrong),  # type: ignore[arg-type]
    ):
        with pytest.raises(PictureError) as error:
            call()
        assert words in str(error.value)
        assert isinstance(error.value, SourceError | ValueError)


def test_missing_and_large_pictures(photo: Path, recognizer: Recognizer, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        mien.recognize(tmp_path / "none.jpg", recognizer=recognizer)
    for form in (photo, PIL.Image.fromarray(gradient())):
        with pytest.raises(ImageTooLargeError, match="60 x 40"):
            mien.recognize(form, recognizer=recognizer, max_pixels=100)


def test_a_picture_result_shows_and_saves_itself(
    photo: Path, recognizer: Recognizer, tmp_path: Path
) -> None:
    result = mien.recognize(photo, recognizer=recognizer)
    plotted = np.asarray(result.plot())
    assert plotted.shape == result.image_rgb.shape and (plotted != result.image_rgb).any()
    png = result._repr_png_()
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(io.BytesIO(png))), plotted)
    assert "<table" in result._repr_html_() and "data:image/png" in result._repr_html_()
    assert repr(result).startswith(f"PictureResult({str(photo)!r}, ")
    result.save(tmp_path / "shown.png")
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(tmp_path / "shown.png")), plotted)
    result.save(str(tmp_path / "faces.csv"))
    assert len((tmp_path / "faces.csv").read_text().splitlines()) == 3
    result.save(tmp_path / "faces.jsonl")
    assert json.loads((tmp_path / "faces.jsonl").read_text()) == result.to_dict()
    assert json.loads(result.to_json()) == result.to_dict()
    assert len(result.to_dataframe()) == 2
    with pytest.raises(OutputError, match=r"\.png .*\.csv"):
        result.save(tmp_path / "shown.txt")


def test_a_picture_without_a_face_is_no_error(photo: Path, model: Path) -> None:
    result = mien.recognize(photo, model=model, detector=FixedFaces([]))
    assert result.faces == () and repr(result).endswith("no face found)")
    assert "no face found" in result._repr_html_()
    assert len(result.to_dataframe()) == 0


def test_a_recogniser_beside_other_choices_is_refused(photo: Path, recognizer: Recognizer) -> None:
    for choice in (
        {"model": "mien-tiny"},
        {"detector": "haar"},
        {"min_confidence": 0.5},
        {"tta": "flip"},
    ):
        with pytest.raises(ValueError, match="there already"):
            mien.recognize(photo, recognizer=recognizer, **choice)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="there already"):
            mien.recognize_video(photo, recognizer=recognizer, **choice)  # type: ignore[arg-type]


def test_a_folder_is_done_whatever_is_in_it(photo: Path, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.png").write_bytes(photo.read_bytes())
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    make_clip(folder / "sub" / "b.mp4", 3)
    told: list[str] = []
    done: list[tuple[int, int]] = []
    found = mien.recognize_folder(
        folder,
        model=model,
        detector=FixedFaces(BOXES),
        table=tmp_path / "all.csv",
        out=tmp_path / "shown",
        on_problem=told.append,
        on_progress=lambda *counts: done.append(counts),
    )
    assert [result.source for result in found.pictures] == [str(folder / "a.png")]
    assert [len(video.frames) for video in found.videos] == [3]
    assert len(found.problems) == 1 and "broken.jpg" in found.problems[0]
    assert told == list(found.problems)
    assert done == [(0, 3), (1, 3), (2, 3)]
    assert len(found.to_dataframe()) == 2 + 3 * 2
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 1 + 8
    assert (tmp_path / "shown" / "a.png").is_file()
    assert (tmp_path / "shown" / "sub" / "b.mp4").is_file()
    assert repr(found) == "FolderResult(1 picture, 1 video, 1 problem)"
    assert "broken.jpg" in found._repr_html_()


def test_an_empty_or_missing_folder_is_an_error(model: Path, tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(SourceError, match=folder.name):
            mien.recognize_folder(folder, model=model, detector="whole")


def test_a_video_by_model_and_detector(model: Path, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 4)
    found = mien.recognize_video(
        clip, model=model, detector=FixedFaces(BOXES), segments=tmp_path / "s.json"
    )
    assert [len(frame.faces) for frame in found.frames] == [2] * 4
    stored = json.loads((tmp_path / "s.json").read_text())["segments"]
    assert [one["track"] for one in stored] == [one.track for one in found.segments]
    assert sum(track.n_segments for track in found.summary.tracks) == len(found.segments) > 0
    found.save(tmp_path / "rows.csv")
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 1 + 8
    with pytest.raises(OutputError, match="recognize_video"):
        found.save(tmp_path / "shown.mp4")
    assert "<table" in found._repr_html_()


def test_frames_are_searched_as_video_whoever_made_the_recogniser(
    model: Path, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 2)
    for given in (
        {"model": model, "detector": Searching()},
        {"recognizer": Recognizer(model, Searching())},
        {"recognizer": VideoRecognizer(Recognizer(model, Searching()))},
    ):
        assert len(mien.recognize_video(clip, **given).frames) == 2  # type: ignore[arg-type]
    chosen = Searching()
    mien.recognize_video(clip, model=model, detector=chosen, search_side_px=200)
    assert chosen.asked == [200]
    # A detector that was made for a size keeps it.
    fixed = Searching(128)
    mien.recognize_video(clip, model=model, detector=fixed)
    assert fixed.asked == [128]


def test_a_video_recogniser_takes_its_first_frames_size(model: Path) -> None:
    detector = Searching()
    video = VideoRecognizer(Recognizer(model, detector))
    video.recognize(np.zeros((720, 1280, 3), np.uint8), time_s=0.0)
    video.recognize(np.zeros((720, 1280, 3), np.uint8), time_s=0.1)
    video.restart()
    video.recognize(np.zeros((360, 640, 3), np.uint8), time_s=0.0)
    video.restart()
    video.recognize(np.zeros((720, 1280, 3), np.uint8), time_s=0.0)
    assert detector.asked == [640, 320]
    with pytest.raises(ValueError, match="at least 64"):
        VideoRecognizer(Recognizer(model, Searching()), search_side_px=20)


def test_a_stream_gives_frames_as_they_come(model: Path, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 5)
    seen = [
        (frame.number, frame.image_rgb.shape[2], len(result.faces))
        for frame, result in mien.stream(clip, model=model, detector=FixedFaces(BOXES))
    ]
    assert seen == [(number, 3, 2) for number in range(5)]


def test_a_stream_that_is_left_closes_its_source(model: Path) -> None:
    class Endless:
        """A source without an end."""

        def __init__(self) -> None:
            self.info = SourceInfo("endless", 60, 40)
            self.is_closed = False

        def __iter__(self):
            number = 0
            while not self.is_closed:
                yield mien.Frame(gradient(), number, number / 25)
                number += 1

        def close(self) -> None:
            self.is_closed = True

        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

    source = Endless()
    frames = mien.stream(source, model=model, detector=FixedFaces(BOXES))  # type: ignore[arg-type]
    for _ in range(20):
        _, result = next(frames)
    assert result.frame == 19 and not source.is_closed
    frames.close()  # type: ignore[attr-defined]
    assert source.is_closed
    assert list(frames) == []


def test_segments_are_built_once_for_all_that_take_them(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added: list[int] = []
    add = SegmentBuilder.add

    def counted(self, result):
        added.append(result.frame)
        return add(self, result)

    monkeypatch.setattr(SegmentBuilder, "add", counted)
    clip = make_clip(tmp_path / "clip.mp4", 6)
    mien.recognize_video(
        clip,
        model=model,
        detector=FixedFaces(BOXES),
        segments=[tmp_path / "s.vtt", tmp_path / "s.csv"],
        timeline=tmp_path / "t.html",
    )
    assert added == list(range(6))


def test_a_segment_stream_can_be_looked_into_and_goes_on(model: Path) -> None:
    recognizer = VideoRecognizer(Recognizer(model, FixedFaces(BOXES)))
    results = [recognizer.recognize(gradient(), frame=n, time_s=n / 10) for n in range(4)]
    stream, builder = SegmentStream(), SegmentBuilder()
    for result in results[:2]:
        assert stream.at(result) == stream.at(result) == ()
        builder.add(result)
    half = stream.rest()
    assert [one.n_frames for one in half] == [2, 2]
    for result in results[2:]:
        stream.at(result)
        builder.add(result)
    assert stream.rest(0.4) == builder.finish(0.4)
    assert [one.n_frames for one in stream.rest()] == [4, 4]


def test_every_error_is_public() -> None:
    from mien import errors

    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.MienError):
            assert getattr(mien, name) is value
