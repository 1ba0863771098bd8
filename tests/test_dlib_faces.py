"""dlib's weights in mien's network, against a network of dlib's own shape made from stock layers.

The file is made here, with random numbers: dlib's own is 22 MB that no package of mien's brings.
"""

import hashlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from mien import zoo
from mien.errors import ModelError, RecipeError
from mien.preprocessing import InputSpec
from mien.training import dlib_faces
from mien.training.inputs import SOME, some_faces
from mien.training.pretrained import load_pretrained
from mien.zoo.face_resnet import CHANNEL_MEANS
from samples_factory import random_faces, samples_of

GREY = InputSpec(48, 48, 1)
NAMES = [
    "stem",
    *(
        f"stage{stage}_block{block}_{place}"
        for stage, depth in enumerate((3, 4, 3, 3, 1), start=1)
        for block in range(1, depth + 1)
        for place in (1, 2)
    ),
]
WIDTH = {"stem": 32, "stage1": 32, "stage2": 64, "stage3": 128, "stage4": 256, "stage5": 256}


def whole(value: int) -> bytes:
    """A whole number as dlib writes it: its length in bytes, then the bytes, least first."""
    content = value.to_bytes((value.bit_length() + 7) // 8 or 1, "little")
    return bytes([len(content)]) + content


def tensor(numbers: np.ndarray) -> bytes:
    sizes = b"".join(whole(value) for value in (2, numbers.size, 1, 1, 1))
    return sizes + numbers.astype("<f4").tobytes()


@pytest.fixture(scope="module")
def weights() -> dict[str, tuple[np.ndarray, ...]]:
    """Kernel (filters, c, h, w), bias, scale and shift of every convolution."""
    random = np.random.default_rng(5)
    made = {}
    channels = 3
    for name in NAMES:
        filters, side = WIDTH[name.split("_")[0]], 7 if name == "stem" else 3
        shape = (filters, channels, side, side)
        made[name] = (
            random.normal(0, (1 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32),
            random.normal(0, 0.1, filters).astype(np.float32),
            random.uniform(0.5, 1.5, filters).astype(np.float32),
            random.normal(0, 0.1, filters).astype(np.float32),
        )
        channels = filters
    return made


@pytest.fixture(scope="module")
def file(weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dlib") / "dlib_faces.dat"
    content = b"\x01\x01\x0dloss_metric_2"
    for kernel, bias, scale, shift in weights.values():
        content += b"\x01\x05con_4" + tensor(np.concatenate([kernel.ravel(), bias])) + b"\x01\x03"
        content += b"\x01\x07affine_" + tensor(np.concatenate([scale, shift])) + b"\x01\x04relu_"
    path.write_bytes(content)
    return path


@pytest.fixture(autouse=True)
def known(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is the pinned one."""
    content = file.read_bytes()
    monkeypatch.setattr(dlib_faces, "BYTES", len(content))
    monkeypatch.setattr(dlib_faces, "SHA256", hashlib.sha256(content).hexdigest())


def built(spec: InputSpec = GREY, **options: object) -> keras.Model:
    keras.utils.set_random_seed(1)
    return zoo.build("face_resnet", spec, 7, **options)


FACES = random_faces(24, seed=3).astype(np.float32)[..., None]


def loaded(file: Path, **options: object) -> keras.Model:
    network = built(**options)
    load_pretrained(network, "face_resnet", str(file), faces=lambda: FACES)
    return network


def outputs(network: keras.Model, *names: str) -> list[np.ndarray]:
    probe = keras.Model(network.input, [network.get_layer(name).output for name in names])
    given = keras.tree.flatten(probe(FACES, training=False))
    return [keras.ops.convert_to_numpy(each) for each in given]


def dlibs_convolution(x: np.ndarray, weights, stride: int = 1, padding: str = "same"):
    kernel, bias, scale, shift = weights
    x = keras.ops.conv(x, kernel.transpose(2, 3, 1, 0), strides=stride, padding=padding)
    return (x + bias) * scale + shift


def test_the_first_convolution_is_dlibs_on_the_doubled_picture(file: Path, weights):
    (here,) = outputs(loaded(file), "stem_bn")
    doubled = keras.ops.image.resize(FACES, (96, 96), interpolation="bilinear")
    dlibs_input = (keras.ops.repeat(doubled, 3, axis=-1) - np.array(CHANNEL_MEANS)) / 256
    # Its first output looks at the rows 0 to 6, ours at -3 to 3 of the doubled picture.
    there = dlibs_convolution(
        keras.ops.cast(dlibs_input[:, 1:, 1:], "float32"), weights["stem"], 2, "valid"
    )
    there = keras.ops.convert_to_numpy(there)
    np.testing.assert_allclose(here[:, 4:40, 4:40], there[:, 2:38, 2:38], atol=2e-4)


def test_stages_give_what_dlibs_give(file: Path, weights):
    ends = ["stem_pool", "stage1_block3_relu", "stage2_block4_relu", "stage4_block3_relu"]
    here = outputs(loaded(file), *ends)
    x = here[0]
    seen = {"stem_pool": x}
    for stage, depth in enumerate((3, 4, 3, 3), start=1):
        for block in range(1, depth + 1):
            name = f"stage{stage}_block{block}"
            stride = 2 if stage > 1 and block == 1 else 1
            residual = keras.ops.relu(dlibs_convolution(x, weights[f"{name}_1"], stride))
            residual = dlibs_convolution(residual, weights[f"{name}_2"])
            if stride == 2:
                # dlib fills the missing channels up with zeros.
                x = keras.ops.average_pool(x, 2, padding="same")
                missing = residual.shape[-1] - x.shape[-1]
                x = keras.ops.pad(x, [(0, 0), (0, 0), (0, 0), (0, missing)])
            x = keras.ops.relu(x + residual)
            seen[f"{name}_relu"] = x
    for name, values in zip(ends, here, strict=True):
        there = keras.ops.convert_to_numpy(seen[name])
        assert there.std() > 0.01
        np.testing.assert_allclose(values, there, rtol=1e-3, atol=2e-3, err_msg=name)


def test_normalisations_know_what_arrives(file: Path):
    network = loaded(file)
    for name in ("stem", "stage2_block1_1", "stage4_block3_2"):
        (arrived,) = outputs(network, f"{name}_conv")
        _, _, mean, variance = network.get_layer(f"{name}_bn").get_weights()
        np.testing.assert_allclose(mean, arrived.mean(axis=(0, 1, 2)), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(variance, arrived.var(axis=(0, 1, 2)), rtol=1e-3, atol=1e-4)


def test_only_the_stages_that_are_as_wide_are_dlibs(file: Path, weights):
    options = {"widths": (32, 64, 80), "depths": (1, 2, 1)}
    new = built(**options)
    network = built(**options)
    source = load_pretrained(network, "face_resnet", str(file), faces=lambda: FACES)
    assert source["layers"] == "stages 1 to 2"
    assert source["sha256"] == dlib_faces.SHA256
    taken = network.get_layer("stage2_block2_2_conv").get_weights()[0]
    np.testing.assert_array_equal(taken, weights["stage2_block2_2"][0].transpose(2, 3, 1, 0))
    for name in ("stage3_block1_1_conv", "stage3_block1_shortcut_conv", "logits"):
        pairs = zip(
            network.get_layer(name).get_weights(), new.get_layer(name).get_weights(), strict=True
        )
        assert all(np.array_equal(here, there) for here, there in pairs)


def test_an_rgb_network_sees_grey_faces_as_the_grey_one_does(file: Path):
    network = built(InputSpec(48, 48, 3))
    faces = np.repeat(FACES, 3, axis=-1)
    load_pretrained(network, "face_resnet", str(file), faces=lambda: faces)
    rgb = keras.Model(network.input, network.get_layer("pool").output)(faces, training=False)
    (grey,) = outputs(loaded(file), "pool")
    np.testing.assert_allclose(keras.ops.convert_to_numpy(rgb), grey, rtol=1e-3, atol=1e-3)


def broken(kind: str, file: Path, path: Path) -> Path:
    content = file.read_bytes()
    if kind == "cut":
        content = content[:-1]
    elif kind == "changed":
        content = content[:1000] + b"x" + content[1001:]
    else:
        content = b""
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["cut", "changed", "empty"])
def test_another_file_is_refused_in_one_line(kind: str, file: Path, tmp_path: Path):
    network = built()
    before = network.get_weights()
    with pytest.raises(ModelError, match="is not dlib_face_recognition_resnet_model_v1") as caught:
        load_pretrained(
            network,
            "face_resnet",
            str(broken(kind, file, tmp_path / "other.dat")),
            faces=lambda: FACES,
        )
    assert "\n" not in str(caught.value)
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))


def test_a_network_that_it_does_not_fit_is_refused(file: Path):
    network = built(widths=(48, 64), depths=(1, 1))
    with pytest.raises(RecipeError, match=r"widths \(32, 64, 128, 256\)"):
        load_pretrained(network, "face_resnet", str(file), faces=lambda: FACES)
    slim = zoo.build("slim_resnet", GREY, 7)
    with pytest.raises(RecipeError, match="weights for face_resnet, not for slim_resnet"):
        load_pretrained(slim, "slim_resnet", str(file), faces=lambda: FACES)


@pytest.mark.parametrize("n", [5, SOME + 900])
def test_some_faces_are_spread_over_all(n: int):
    samples = samples_of(random_faces(n), [0] * n, ["train"] * n)
    faces = some_faces(samples, GREY)
    assert faces.shape == (min(n, SOME), 48, 48, 1)
    np.testing.assert_array_equal(faces[0, ..., 0], samples.images[0])
    np.testing.assert_array_equal(faces[-1, ..., 0], samples.images[-1])
