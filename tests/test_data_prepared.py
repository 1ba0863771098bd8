"""Pictures on their way to the network: prepared alike, kept or streamed, by many threads."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mien.data.prepared import PreparedPictures
from mien.errors import ImageError
from mien.preprocessing import InputSpec, to_network_input
from mien.samples import Image
from picture_factory import gradient
from samples_factory import random_faces

SPEC = InputSpec(48, 48, 1)


class InFiles:
    """Pictures decoded on access, which is counted; some are damaged."""

    def __init__(self, images: Sequence[Image], *, damaged: Sequence[int] = ()) -> None:
        self.images = images
        self.damaged = set(damaged)
        self.decoded: list[int] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Image:
        with self._lock:
            self.decoded.append(index)
        if index in self.damaged:
            raise ImageError(f"{index} is damaged")
        return self.images[index]

    def encoded(self, index: int) -> bytes:
        return self.images[index].tobytes()

    def take(self, indices: np.ndarray) -> "InFiles":
        return InFiles([self.images[i] for i in indices])


def test_arrays_and_files_are_prepared_alike():
    faces = random_faces(9, side=30)
    rows = np.array([8, 0, 3, 3])
    from_array = PreparedPictures(faces, SPEC)
    in_files = PreparedPictures(InFiles(list(faces)), SPEC)
    assert (from_array.in_files, in_files.in_files) == (False, True)
    assert len(from_array) == len(in_files) == 9
    batch = from_array.batch(rows)
    assert (batch.dtype, batch.shape) == (np.uint8, (4, 48, 48, 1))
    np.testing.assert_array_equal(batch, to_network_input(faces[rows], SPEC))
    np.testing.assert_array_equal(in_files.batch(rows), batch)
    assert in_files.batch(rows[:0]).shape == (0, 48, 48, 1)


def test_sizes_and_colours_may_differ_in_files():
    pictures = [gradient(40, 60), gradient(90, 30), random_faces(1)[0]]
    spec = InputSpec(20, 24, 3)
    batch = PreparedPictures(InFiles(pictures), spec).batch(np.arange(3))
    np.testing.assert_array_equal(batch, to_network_input(pictures, spec))


def test_a_small_set_is_decoded_once():
    images = InFiles(list(random_faces(10)))
    pictures = PreparedPictures(images, SPEC)
    first = pictures.batch(np.arange(6))
    again = pictures.batch(np.arange(3, 10))
    np.testing.assert_array_equal(first[3:], again[:3])
    assert images.decoded == list(range(10))
    first[...] = 0  # what was handed out is not what is kept
    assert pictures.batch(np.arange(6)).any()


def test_a_large_set_is_never_kept():
    images = InFiles(list(random_faces(10)))
    one_too_few_bytes = PreparedPictures(images, SPEC, kept_bytes=10 * 48 * 48 - 1)
    for _ in range(2):
        one_too_few_bytes.batch(np.array([4, 2]))
    assert images.decoded == [4, 2, 4, 2]
    just_fits = PreparedPictures(images, SPEC, kept_bytes=10 * 48 * 48)
    for _ in range(2):
        just_fits.batch(np.array([4, 2]))
    assert images.decoded == [4, 2, 4, 2, 4, 2]


def test_a_damaged_picture_is_an_error_each_time():
    pictures = PreparedPictures(InFiles(list(random_faces(8)), damaged=[7]), SPEC)
    for _ in range(2):
        with pytest.raises(ImageError, match="7 is damaged"):
            pictures.batch(np.array([6, 7]))
    np.testing.assert_array_equal(pictures.batch(np.array([6]))[0, ..., 0], random_faces(8)[6])


def test_many_threads_see_the_same_pictures():
    faces = random_faces(200)
    pictures = PreparedPictures(InFiles(list(faces)), SPEC)
    orders = [np.random.default_rng(seed).permutation(200)[:50] for seed in range(64)]
    with ThreadPoolExecutor(8) as pool:
        for order, batch in zip(orders, pool.map(pictures.batch, orders), strict=True):
            np.testing.assert_array_equal(batch[..., 0], faces[order])
