"""docs/python.md: every example runs, in order, and prints what the page says."""

import contextlib
import doctest
import io
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import mien
from mien.errors import WeightsError
from mien.model import store
from mien.outputs.video_writer import VideoWriter
from samples_factory import fer_csv

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "python.md"
PHOTO = ROOT / "docs" / "images" / "astronaut.jpg"
YUNET = "face_detection_yunet_2023mar.onnx"

_EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n?^```text\n(.*?)^```\n)?", re.M | re.S)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

RECIPE = '''"""A tiny network, to try a training in seconds."""

from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="tiny",
    architecture="slim_resnet",
    architecture_options={"stem": 8, "widths": (8, 8, 16), "depths": (1, 1, 1)},
    epochs=6,
    batch_size=32,
    learning_rate=0.05,
)
'''


def examples() -> list[tuple[str, str]]:
    """Code and what it prints, in the order of the page."""
    return [(code, printed or "") for code, printed in _EXAMPLE.findall(PAGE.read_text("utf-8"))]


def write_talk(path: Path, pixels: np.ndarray) -> None:
    """A head that moves over a plain ground for two seconds; Haar sees faces in other things."""
    video = VideoWriter(path, width_px=480, height_px=288, frame_rate_hz=12)
    for number in range(24):
        frame = np.full((288, 480, 3), 90, np.uint8)
        frame[34:254, 120 + number : 290 + number] = pixels[10:230, 145:315]
        video.write(frame, number / 12)
    video.close()


def write_faces(path: Path) -> None:
    """A fer2013.csv whose classes differ in brightness; a fifth of the labels is wrong."""
    random = np.random.default_rng(0)
    true = np.arange(700) % 7
    images = random.integers(0, 60, (700, 48, 48)) + 28 * true[:, None, None]
    labels = np.where(random.random(700) < 0.2, random.integers(0, 7, 700), true)
    usages = ["Training"] * 420 + ["PublicTest"] * 210 + ["PrivateTest"] * 70
    path.write_bytes(fer_csv(images.astype(np.uint8), labels.tolist(), usages))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the page speaks of, as the current one."""
    photo = PIL.Image.open(PHOTO)
    (tmp_path / "photos").mkdir()
    for name in ("photo.jpg", "photos/astronaut.jpg"):
        photo.save(tmp_path / name, quality=95)
    PIL.Image.new("RGB", (320, 240), (90, 120, 150)).save(tmp_path / "photos" / "wall.jpg")
    write_talk(tmp_path / "talk.mp4", np.asarray(photo))
    write_faces(tmp_path / "fer2013.csv")
    people = "".join(f"{row},{'AB'[row % 2]}\n" for row in range(422, 632))
    (tmp_path / "people.csv").write_text(f"row,site\n{people}", encoding="utf-8")
    (tmp_path / "tiny.py").write_text(RECIPE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def no_network(name: str) -> Path:
    raise WeightsError(f"{name} is not fetched in tests")


def test_every_example_prints_what_the_page_says(
    folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in ("tensorflow", "keras", "matplotlib", "pandas", "pygame"):
        pytest.importorskip(library, reason="the page needs the extras train, table and live")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setattr(store, "fetch_quickly", no_network)
    names: dict[str, object] = {}
    differing = []
    for code, expected in examples():
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(PAGE), "exec"), names)
        if not doctest.OutputChecker().check_output(expected, printed.getvalue(), _FLAGS):
            differing.append(f"{code}\nprinted:\n{printed.getvalue()}\nthe page:\n{expected}")
    assert not differing, "\n\n".join(differing)


def test_there_are_examples_of_every_function() -> None:
    code = "\n".join(code for code, _ in examples())
    page = PAGE.read_text("utf-8")
    functions = [name for name in mien.__all__ if name[0].islower()]
    assert len(functions) > 15
    for name in functions:
        assert f"mien.{name}(" in code, name
    for name in mien.__all__:
        assert name in page or name.endswith("Result"), name


def test_no_example_is_longer_than_five_lines() -> None:
    for code, _ in examples():
        assert len([line for line in code.splitlines() if line.strip()]) <= 5, code
