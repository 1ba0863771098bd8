"""Faces without labels: what is found, in which order, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from command_line import assert_fails_on_one_line, mien
from mien.data.unlabelled import read_unlabelled
from mien.errors import DatasetError, ImageError, SourceError
from samples_factory import class_folders, fer_csv, png, random_faces, zip_of


def test_folders_and_zips_are_read_whatever_their_folders_are_called(tmp_path: Path):
    written = class_folders(tmp_path / "a", ["x", "x/y z", "7"], per_folder=2)
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    (tmp_path / "a" / ".hidden.png").write_bytes(b"x")
    folder = read_unlabelled([tmp_path / "a"])
    assert len(folder) == 6
    archive = read_unlabelled([zip_of(tmp_path / "a.zip", written)])
    assert [each.n for each in archive.sources] == [6]
    assert archive.sources[0].source == "a.zip"
    assert archive.sources[0].sha256 == folder.sources[0].sha256
    for row in range(6):
        np.testing.assert_array_equal(folder.images[row], archive.images[row])
    assert folder.images[0].shape == (16, 16)


def test_several_sources_are_one_sequence(tmp_path: Path):
    class_folders(tmp_path / "a", ["x"], per_folder=3)
    class_folders(tmp_path / "b", ["x", "y"], per_folder=2)
    (tmp_path / "b" / "x" / "1.png").write_bytes(png(random_faces(1, side=20)[0]))
    both = read_unlabelled([tmp_path / "a", tmp_path / "b"])
    assert (len(both), [each.n for each in both.sources]) == (7, [3, 4])
    assert both.images[4].shape == (20, 20)
    taken = both.images.take(np.array([4, 0]))
    assert [taken[0].shape, taken[1].shape] == [(20, 20), (16, 16)]
    assert taken.encoded(1) == (tmp_path / "a" / "x" / "0.png").read_bytes()


def test_sources_that_are_none_are_told(tmp_path: Path):
    with pytest.raises(SourceError, match="no such file or folder"):
        read_unlabelled([tmp_path / "nothing"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no pictures"):
        read_unlabelled([tmp_path / "empty"])
    (tmp_path / "faces.csv").write_text("emotion,pixels,Usage\n")
    with pytest.raises(DatasetError, match="damaged"):
        read_unlabelled([tmp_path / "faces.csv"])
    class_folders(tmp_path / "a", ["x"])
    with pytest.raises(SourceError, match="the same pictures as another source"):
        read_unlabelled([tmp_path / "a", tmp_path / "a"])
    (tmp_path / "a" / "x" / "0.png").write_bytes(b"no picture")
    found = read_unlabelled([tmp_path / "a"])
    with pytest.raises(ImageError, match=r"x/0\.png"):
        found.images[0]


RECIPE = """
from mien.training.recipe import Recipe
RECIPE = Recipe("r", "slim_resnet", teacher_weight=0.5, teaching="live", unlabelled_share=SHARE)
"""


@pytest.mark.parametrize(
    ("share", "options", "words"),
    [
        ("0.25", (), "name them: --unlabelled SRC"),
        ("0.0", ("--unlabelled", "faces"), "leave out --unlabelled"),
        ("0.25", ("--unlabelled", "empty"), "empty holds no pictures"),
        ("0.25", ("--unlabelled", "none"), "no such file or folder: none"),
    ],
)
def test_share_and_source_go_together(
    share: str, options: tuple[str, ...], words: str, tmp_path: Path
):
    pytest.importorskip("keras", reason="needs the train extra")
    (tmp_path / "recipe.py").write_text(RECIPE.replace("SHARE", share))
    images = random_faces(14)
    usages = ["Training"] * 7 + ["PublicTest"] * 7
    (tmp_path / "faces.csv").write_bytes(fer_csv(images, [row % 7 for row in range(14)], usages))
    (tmp_path / "empty").mkdir()
    class_folders(tmp_path / "faces", ["x"])
    done = mien(
        *("train", "recipe.py", "--data", "faces.csv", "--teacher", "mien-tiny"),
        *("--out", "run", *options),
        cwd=tmp_path,
    )
    assert_fails_on_one_line(done, words)
    assert not (tmp_path / "run").exists()
