"""Exact and near duplicates."""

import cv2
import numpy as np
import pytest

from mien.data import read_samples
from mien.data.duplicates import duplicate_groups, seen_duplicates
from mien.data.fingerprints import digests, fingerprint
from mien.data.near_duplicates import near_duplicates
from samples_factory import png, random_faces, samples_of, zip_of


def test_groups_by_hand():
    images = random_faces(8)
    images[6] = images[1]
    images[7] = images[1]
    images[3] = images[2]
    groups = duplicate_groups(images)
    assert [group.tolist() for group in groups] == [[1, 6, 7], [2, 3]]
    assert duplicate_groups(random_faces(5)) == []
    assert duplicate_groups(random_faces(0)) == []


def test_one_pixel_is_enough_to_differ():
    images = np.repeat(random_faces(1), 2, axis=0)
    assert len(duplicate_groups(images)) == 1
    images[1, 47, 47] ^= 1
    assert duplicate_groups(images) == []


def test_shape_counts():
    flat = (
        np.zeros((1, 4, 9), np.uint8),
        np.zeros((1, 9, 4), np.uint8),
        np.zeros((1, 2, 6, 3), np.uint8),
    )
    assert len({digests(images)[0] for images in flat}) == 3


def test_seen_duplicates_are_those_outside_train():
    images = random_faces(8)
    images[4] = images[0]  # validation like train
    images[6] = images[0]  # test like train
    images[7] = images[5]  # test like validation
    images[2] = images[1]  # train like train
    splits = ["train"] * 4 + ["validation"] * 2 + ["test"] * 2
    seen = seen_duplicates(samples_of(images, [0] * 8, splits))
    assert seen.dtype == np.bool_
    assert np.flatnonzero(seen).tolist() == [4, 6]


def test_seen_duplicates_of_pictures_decoded_on_access(tmp_path):
    face, other = random_faces(2)
    path = zip_of(
        tmp_path / "a.zip",
        {"train/happy/0.png": png(face), "test/sad/0.png": png(face), "test/sad/1.png": png(other)},
    )
    samples = read_samples(path)
    assert [samples.names[i] for i in np.flatnonzero(seen_duplicates(samples))] == [
        "test/sad/0.png"
    ]


def versions(face):
    brighter = np.clip(face.astype(float) * 0.8 + 20, 0, 255).astype(np.uint8)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 0)
    cropped = cv2.resize(face[1:, 1:], (48, 48), interpolation=cv2.INTER_LINEAR)
    return {"brighter": brighter, "jpeg": jpeg, "cropped": cropped}


@pytest.mark.parametrize("version", ["brighter", "jpeg", "cropped"])
def test_versions_of_a_photograph_are_near_duplicates(version):
    images = random_faces(200)
    images[150] = versions(images[20])[version]
    found = near_duplicates(fingerprint(images).thumbnails)
    assert (found.first.tolist(), found.second.tolist()) == ([20], [150])
    assert found.correlation[0] > 0.9
    assert not found.mirrored[0]


def test_mirror_images_are_told():
    images = random_faces(200)
    images[150] = versions(images[20])["jpeg"][:, ::-1]
    found = near_duplicates(fingerprint(images).thumbnails)
    assert (found.first.tolist(), found.second.tolist()) == ([20], [150])
    assert found.mirrored.tolist() == [True]


def test_different_pictures_are_not():
    assert len(near_duplicates(fingerprint(random_faces(500)).thumbnails)) == 0


def test_search_finds_what_comparing_all_pairs_finds():
    from mien.data import near_duplicates as module

    random = np.random.default_rng(0)
    known = random.integers(0, 1 << 63, 150, dtype=np.uint64)
    for index in range(75, 150):
        flips = random.choice(64, random.integers(0, 10), replace=False)
        known[index] = known[index - 75] ^ np.bitwise_or.reduce(
            np.array([1 << int(bit) for bit in flips], dtype=np.uint64), initial=np.uint64(0)
        )
    for max_bits in (0, 3, 4, 7):
        expected = [
            (i, j)
            for i in range(150)
            for j in range(i + 1, 150)
            if (int(known[i]) ^ int(known[j])).bit_count() <= max_bits
        ]
        first, second = module._candidates(known, known, max_bits)
        assert list(zip(first.tolist(), second.tolist(), strict=True)) == expected
        assert expected


def test_most_alike_first():
    images = random_faces(60)
    images[50] = versions(images[3])["cropped"]
    images[51] = versions(images[4])["jpeg"]
    found = near_duplicates(fingerprint(images).thumbnails)
    assert len(found) == 2
    assert (np.diff(found.correlation) <= 0).all()


def test_few_pictures_and_impossible_bits():
    for n in (0, 1, 2):
        assert len(near_duplicates(fingerprint(random_faces(n)).thumbnails)) == 0
    with pytest.raises(ValueError, match="0 to 7 bits"):
        near_duplicates(fingerprint(random_faces(2)).thumbnails, max_bits=8)
