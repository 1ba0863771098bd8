"""The faces that a run keeps to prove exports on."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

pytest.importorskip("keras", reason="needs the train extra")

from mien.errors import TrainingError
from mien.samples import Samples
from mien.training.proof_faces import (
    FACES,
    MAX_BYTES,
    MAX_SIDE_PX,
    read_proof_faces,
    run_of,
    write_proof_faces,
)
from samples_factory import random_faces, samples_of


def faces_of(images: np.ndarray) -> Samples:
    return samples_of(images, [0] * len(images), ["validation"] * len(images))


def test_small_faces_are_kept_as_they_are_evenly_from_first_to_last(tmp_path: Path):
    images = random_faces(600)
    write_proof_faces(tmp_path, faces_of(images), 1)
    kept = read_proof_faces(tmp_path)
    assert len(kept) == 256
    np.testing.assert_array_equal(kept[0], images[0])
    np.testing.assert_array_equal(kept[-1], images[-1])
    rows = [int(np.flatnonzero((images == face).all(axis=(1, 2)))[0]) for face in kept]
    assert set(np.diff(rows)) <= {2, 3}
    assert (tmp_path / FACES).stat().st_size < MAX_BYTES
    write_proof_faces(tmp_path, faces_of(images[:3]), 1)
    np.testing.assert_array_equal(np.stack(read_proof_faces(tmp_path)), images[:3])


def test_noise_in_colour_is_cut_to_the_size(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (300, 90, 90, 3), dtype=np.uint8)
    write_proof_faces(tmp_path, faces_of(noise), 3)
    kept = read_proof_faces(tmp_path)
    assert kept[0].shape == (MAX_SIDE_PX, MAX_SIDE_PX, 3)
    size = (tmp_path / FACES).stat().st_size
    assert 0.8 * MAX_BYTES < size <= MAX_BYTES
    assert 64 < len(kept) < 256
    write_proof_faces(tmp_path, faces_of(noise), 1)
    assert read_proof_faces(tmp_path)[0].shape == (MAX_SIDE_PX, MAX_SIDE_PX)


class Mixed:
    """Pictures of other sizes and colours, of which one at a time is decoded."""

    sizes = ((30, 40), (48, 48, 3), (900, 1200, 3))

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> np.ndarray:
        return np.full(self.sizes[index], 40 * (index + 1), np.uint8)


def test_faces_of_other_sizes_get_one(tmp_path: Path):
    samples = samples_of(Mixed(), [0, 1, 2], ["validation"] * 3)
    write_proof_faces(tmp_path, samples, 3)
    kept = read_proof_faces(tmp_path)
    assert [face.shape[:2] for face in kept] == [(48, 48)] * 3
    assert [int(face.mean()) for face in kept] == [40, 80, 120]


def test_a_file_that_is_not_one_is_explained(tmp_path: Path):
    with pytest.raises(TrainingError, match=r"keeps no faces\.png; .* --data SRC"):
        read_proof_faces(tmp_path)
    path = tmp_path / FACES
    for content, message in (
        (b"", "cannot be read"),
        (b"\x89PNG\r\n\x1a\n broken", "cannot be read"),
        (bytes(MAX_BYTES + 1), "larger than"),
    ):
        path.write_bytes(content)
        with pytest.raises(TrainingError, match=message):
            read_proof_faces(tmp_path)
    PIL.Image.new("L", (48, 100)).save(path)
    with pytest.raises(TrainingError, match="no column of square faces"):
        read_proof_faces(tmp_path)
    # A header that announces more than what is ever written is refused before it is decoded.
    PIL.Image.new("L", (2000, 2000)).save(path)
    with pytest.raises(TrainingError, match="cannot be read"):
        read_proof_faces(tmp_path)


def test_the_run_of_a_network(tmp_path: Path):
    assert run_of(tmp_path) == tmp_path
    assert run_of(tmp_path / "best.keras") is None
    (tmp_path / "recipe.json").write_text("{}")
    assert run_of(tmp_path / "best.keras") == tmp_path
    assert run_of(tmp_path / "best_ferplus.keras") == tmp_path
    assert run_of(tmp_path / "other.keras") is None
