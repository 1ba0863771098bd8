"""YuNet: its freed file, and the same faces as OpenCV's FaceDetectorYN."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from mien.errors import DetectorError
from mien.images import read_image
from mien.recognition import detectors
from mien.recognition.detectors import protobuf, yunet_file
from mien.recognition.detectors.yunet import YuNet
from mien.recognition.detectors.yunet_file import (
    HEADS,
    STRIDES_PX,
    free_network,
    level_name,
    quick_network,
)
from mien.recognition.detectors.yunet_network import NMS_IOU, YuNetNetwork
from mien.recognition.recognizer import Recognizer
from mien.results import Detection
from mien.sources import open_frames

YUNET_FILE = "models/face_detection_yunet_2023mar.onnx"


@pytest.fixture(scope="module")
def pinned(shared_folder: Path) -> bytes:
    return (shared_folder / YUNET_FILE).read_bytes()


@pytest.fixture(scope="module")
def network(pinned: bytes) -> YuNetNetwork:
    return YuNetNetwork(pinned)


@pytest.fixture(scope="module")
def pictures(shared_folder: Path) -> list[np.ndarray]:
    """Two photos and 60 frames."""
    media = shared_folder / "media"
    with open_frames(media / "WolfgangLanger_Pexels.mp4") as source:
        frames = [frame.image_rgb for frame in islice(source, 0, 480, 8)]
    assert len(frames) >= 59
    photos = [read_image(media / name) for name in ("multi_face.jpg", "Image_with_alpha.png")]
    return photos + frames


def rows_of_opencv(pinned: bytes, image_rgb: np.ndarray, threshold: float) -> np.ndarray:
    height, width = image_rgb.shape[:2]
    detector = cv2.FaceDetectorYN.create(
        "onnx", np.frombuffer(pinned, np.uint8), np.empty(0, np.uint8), (width, height),
        threshold, NMS_IOU,
    )  # fmt: skip
    found = detector.detect(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))[1]
    return np.empty((0, 15), np.float32) if found is None else found


def in_order(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(rows.T[[1, 0]].round(1))]


@pytest.mark.parametrize("threshold", [0.7, 0.1])
def test_faces_are_those_of_opencv(network, pinned, pictures, threshold) -> None:
    n_faces = 0
    for image in pictures:
        expected = in_order(rows_of_opencv(pinned, image, threshold))
        found = in_order(network.find(image, threshold))
        assert found.dtype == np.float32
        assert found.shape == expected.shape
        assert np.abs(found[:, :14] - expected[:, :14]).max(initial=0.0) < 0.01
        assert np.abs(found[:, 14] - expected[:, 14]).max(initial=0.0) < 1e-4
        n_faces += len(found)
    assert n_faces >= 65


@pytest.mark.parametrize("size", [(33, 64), (160, 90), (64, 64), (333, 250), (250, 333)])
def test_sizes_that_the_network_cannot_halve(network, pinned, pictures, size) -> None:
    image = cv2.resize(pictures[0], size, interpolation=cv2.INTER_AREA)
    expected = rows_of_opencv(pinned, image, 0.2)
    assert len(expected) > 0
    assert network.find(image, 0.2) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("size", [(1, 1), (32, 32), (31, 300), (300, 31)])
def test_a_side_of_one_place(network, pictures, size) -> None:
    """OpenCV 4.14 computes garbage here, infinite boxes among it, and other garbage each time."""
    image = cv2.resize(pictures[0], size, interpolation=cv2.INTER_AREA)
    found = network.find(image, 0.01)
    assert np.isfinite(found).all()
    assert np.abs(found[:, :14]).max(initial=0.0) < 1000
    assert np.array_equal(found, network.find(image, 0.01))


_REST = """
from pathlib import Path
import sys
import numpy as np
import psutil
from mien.recognition.detectors.yunet import YuNet

detector = YuNet(Path(sys.argv[1]), search_side_px=2560)
small = np.load(sys.argv[2])
before = detector.detect(small)
detector.detect(np.zeros((1920, 2560, 3), np.uint8))
large = psutil.Process().memory_info().rss
detector.rest()
print(large - psutil.Process().memory_info().rss)
assert detector.detect(small) == before
"""


def test_rest_gives_back_what_a_large_picture_took(shared_folder, pictures, tmp_path) -> None:
    """In a process of its own: in one that ran other tests, the allocator holds room already."""
    np.save(tmp_path / "small.npy", pictures[0])
    arguments = [shared_folder / YUNET_FILE, tmp_path / "small.npy"]
    done = subprocess.run(
        [sys.executable, "-c", _REST, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50e6


@pytest.mark.parametrize("threads", [1, 3])
def test_processor_threads_are_a_choice(
    shared_folder, pictures, network, monkeypatch, threads
) -> None:
    find, path = detectors.store.find, shared_folder / YUNET_FILE
    monkeypatch.setattr(
        detectors.store, "find", lambda name: path if name == "yunet" else find(name)
    )
    chosen = Recognizer(detector="yunet", threads=threads).detector
    assert isinstance(chosen, YuNet)
    options = chosen._network._session.get_session_options()
    assert options.intra_op_num_threads == threads
    assert chosen.searching(320)._network is chosen._network
    expected = network.find(pictures[0], 0.2)
    assert chosen._network.find(pictures[0], 0.2) == pytest.approx(expected, abs=0.01)


def test_threads_share_a_network(network, pictures) -> None:
    images = [cv2.resize(pictures[0], (320 + 16 * n, 240)) for n in range(8)] * 3
    alone = [network.find(image, 0.3) for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda image: network.find(image, 0.3), images))
    assert sum(map(len, alone)) > 24
    for a, b in zip(alone, together, strict=True):
        assert np.array_equal(a, b)


def test_only_sizes_were_freed(pinned) -> None:
    expected = onnx.load_from_string(pinned)
    height, width = expected.graph.input[0].type.tensor_type.shape.dim[2:]
    assert (height.dim_value, width.dim_value) == (640, 640)
    height.dim_param, width.dim_param = "height", "width"
    for output in expected.graph.output:
        output.type.tensor_type.shape.dim[1].Clear()
    del expected.graph.value_info[:]
    assert free_network(pinned) == expected.SerializeToString()
    onnx.checker.check_model(onnx.load_from_string(free_network(pinned)), full_check=True)


@pytest.mark.parametrize(
    "edit", [lambda b: b[:-1], lambda b: b"", lambda b: b[:99] + b"x" + b[100:]]
)
def test_another_file_is_refused(pinned, edit) -> None:
    with pytest.raises(DetectorError, match="not the YuNet that mien knows"):
        free_network(edit(pinned))


@pytest.mark.parametrize("size", [(192, 320), (32, 32), (640, 96)])
def test_joined_heads_compute_the_same(pinned, size) -> None:
    quick = quick_network(pinned)
    onnx.checker.check_model(onnx.load_from_string(quick), full_check=True)
    assert onnx.load_from_string(quick).SerializeToString() == quick
    picture = np.random.default_rng(3).uniform(0, 255, (1, 3, *size)).astype(np.float32)
    before, after = (
        onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        for content in (free_network(pinned), quick)
    )
    names = [level_name(stride) for stride in STRIDES_PX]
    assert [output.name for output in after.get_outputs()] == names
    for stride, level in zip(STRIDES_PX, after.run(names, {"input": picture}), strict=True):
        assert level.shape == (1, 16, size[0] // stride, size[1] // stride)
        first = 0
        for kind, n_channels in HEADS.items():
            found = level[0, first : first + n_channels].reshape(n_channels, -1).T
            if kind in ("cls", "obj"):
                found = 1 / (1 + np.exp(-found))
            (expected,) = before.run([f"{kind}_{stride}"], {"input": picture})
            assert np.abs(found - expected[0]).max() < 1e-5
            first += n_channels


def test_half_as_many_steps(pinned) -> None:
    steps = [
        len(onnx.load_from_string(change(pinned)).graph.node)
        for change in (free_network, quick_network)
    ]
    assert steps == [106, 58]


def test_another_result_is_refused(pinned, monkeypatch) -> None:
    monkeypatch.setattr(yunet_file, "HEADS", {"obj": 1, "cls": 1, "bbox": 4, "kps": 10})
    assert free_network(pinned)
    with pytest.raises(DetectorError, match="damaged"):
        quick_network(pinned)
    monkeypatch.setattr(yunet_file, "_STORED_SHAPE", 99)
    with pytest.raises(DetectorError, match="damaged"):
        free_network(pinned)


# --- the messages of protobuf


def test_fields_are_copied_byte_for_byte(pinned) -> None:
    assert b"".join(field.raw for field in protobuf.fields(pinned)) == pinned
    numbers = [field.number for field in protobuf.fields(pinned)]
    assert numbers == [field[0].number for field in onnx.load_from_string(pinned).ListFields()]


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 16_383, 16_384, 2**32, 2**64 - 1])
def test_numbers(value) -> None:
    written = protobuf.written_number(value)
    assert protobuf.read_number(b"\0" + written + b"\7", 1) == (value, 1 + len(written))


def test_all_kinds_of_fields() -> None:
    message = onnx.TensorProto(
        name="a" * 200, data_type=11, dims=[2, 300], double_data=[1.5, 2.5], float_data=[0.5],
        raw_data=b"\x80" * 40_000,
    )  # fmt: skip
    content = message.SerializeToString()
    fields = list(protobuf.fields(content))
    assert b"".join(field.raw for field in fields) == content
    by_number = {field.number: field.content for field in fields}
    assert by_number[9] == b"\x80" * 40_000
    assert by_number[8] == b"a" * 200
    edited = protobuf.edited(content, (8,), lambda name: name[:3])
    message.name = "aaa"
    assert edited == message.SerializeToString()


@pytest.mark.parametrize(
    "content",
    [b"\x0a", b"\x0a\x05abcd", b"\x08\x80", b"\x80" * 12, b"\x0b\x00", b"\x09\x00", b"\x0d"],
)
def test_what_is_no_message(content) -> None:
    with pytest.raises(ValueError, match="expected a protobuf message"):
        list(protobuf.fields(content))


# --- close-ups


def people(shared_folder: Path) -> list[tuple[np.ndarray, Detection]]:
    """Six faces and the pictures that they are in."""
    yunet = YuNet(shared_folder / YUNET_FILE)
    media = shared_folder / "media"
    pictures = [read_image(media / name) for name in ("multi_face.jpg", "Image_with_alpha.png")]
    return [(image, face) for image in pictures for face in yunet.detect(image)]


def around(image: np.ndarray, face: Detection, times: float) -> np.ndarray:
    """The part of a picture with so many times the width and height of a face's box."""
    x, y, width, height = face.box_xywh_px
    left, top = x + width / 2 - times * width / 2, y + height / 2 - times * height / 2
    rows = slice(max(0, int(top)), int(top + times * height))
    return image[rows, max(0, int(left)) : int(left + times * width)]


def enlarged(image: np.ndarray, width: int) -> np.ndarray:
    size = (width, round(width * image.shape[0] / image.shape[1]))
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("width", [640, 1000, 3000])
@pytest.mark.parametrize("times", [1.0, 1.1])
def test_a_face_as_wide_as_the_picture_is_one(shared_folder, times, width) -> None:
    yunet = YuNet(shared_folder / YUNET_FILE)
    found = people(shared_folder)
    assert len(found) == 6
    for image, face in found:
        (one,) = yunet.detect(enlarged(around(image, face, times), width))
        assert one.box_xywh_px[2] > 0.7 * width / times


def test_parts_of_a_close_up_would_be_faces(shared_folder, monkeypatch) -> None:
    """So the test above is about something."""
    monkeypatch.setattr(detectors.yunet, "_LARGE_PX", 10_000)
    yunet = YuNet(shared_folder / YUNET_FILE)
    counts = [
        len(yunet.detect(enlarged(around(*each, 1.0), 1000))) for each in people(shared_folder)
    ]
    assert sum(count > 1 for count in counts) >= 4


@pytest.mark.parametrize("width", [700, 2000])
@pytest.mark.parametrize("share", [0.25, 0.4])
@pytest.mark.parametrize("at", [(0.25, 0.72), (0.72, 0.72)])
def test_a_child_before_its_mother_is_somebody(shared_folder, width, share, at) -> None:
    yunet = YuNet(shared_folder / YUNET_FILE)
    found = people(shared_folder)
    mother = enlarged(around(*found[4], 1.2), width)
    for number in (2, 3):
        side = round(share * width * 1.5)
        child = cv2.resize(around(*found[number], 1.5), (side, side))
        both = mother.copy()
        left, top = (
            round(min(max(0, part * length - side / 2), length - side))
            for part, length in zip(at, both.shape[1::-1], strict=True)
        )
        rows, columns = np.mgrid[:side, :side] - side / 2
        head = np.hypot(rows, columns) < 0.48 * side
        both[top : top + side, left : left + side][head] = child[head]
        faces = sorted(yunet.detect(both), key=lambda face: face.box_xywh_px[2])
        assert len(faces) == 2
        small, large = (face.box_xywh_px for face in faces)
        assert abs(small[0] + small[2] / 2 - left - side / 2) < 0.2 * side
        assert abs(small[1] + small[3] / 2 - top - side / 2) < 0.2 * side
        assert large[2] > 0.5 * width
