import functools
import hashlib
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import h5py
import keras
from keras.src.applications import efficientnet, resnet
from keras.src.legacy.saving import legacy_h5_format
from keras.src.utils import file_utils

from mien import zoo
from mien.errors import ModelError, RecipeError, WeightsError
from mien.preprocessing import InputSpec
from mien.training import pretrained
from mien.training.pretrained import load_pretrained
from mien.zoo.efficientnet_b2 import IMAGENET_DEVIATION, IMAGENET_MEAN

SHAPE = (40, 48, 3)
"""Small, and no square."""


def randomised(network: keras.Model, seed: int = 1) -> keras.Model:
    """A network in which no two weights are alike, and no activation grows out of bounds."""
    random = np.random.default_rng(seed)
    for weight in network.weights:
        if "normalization" not in weight.path:
            if weight.name == "kernel":
                width = 0.5 / np.sqrt(np.prod(weight.shape[:-1]))
                weight.assign(random.normal(0, width, weight.shape))
            elif weight.name in ("gamma", "moving_variance"):
                weight.assign(random.uniform(0.8, 1.2, weight.shape))
            else:
                weight.assign(random.normal(0, 0.1, weight.shape))
    return network


def save_legacy(network: keras.Model, path: Path, rename: Callable[[str], str] = str) -> Path:
    """A file of weights alone as keras.applications publishes them."""
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)
        names = list(file.attrs["layer_names"])
        file.attrs["layer_names"] = [rename(name) for name in names]
        for name in names:
            if rename(name) != name:
                file.move(name, rename(name))
    return path


@pytest.fixture(scope="module")
def resnet50() -> keras.Model:
    """Keras's own, without its top."""
    return randomised(
        keras.applications.ResNet50(include_top=False, weights=None, input_shape=SHAPE)
    )


@pytest.fixture(scope="module")
def scratch_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of an EfficientNet that has never seen ImageNet's."""
    keras.utils.clear_session()  # its file names layers, which Keras numbers as they come
    backbone = keras.applications.EfficientNetB2(include_top=False, weights=None, input_shape=SHAPE)
    return save_legacy(randomised(backbone), tmp_path_factory.mktemp("weights") / "scratch.h5")


@pytest.fixture(scope="module")
def efficientnet_file(scratch_file: Path) -> Path:
    """A file like the published one: the deviation is stored as the variance."""
    path = scratch_file.with_name("notop.h5")
    path.write_bytes(scratch_file.read_bytes())
    with h5py.File(path, "r+") as file:
        file["normalization/normalization/mean"][:] = IMAGENET_MEAN
        file["normalization/normalization/variance"][:] = IMAGENET_DEVIATION
    return path


@pytest.fixture(scope="module")
def efficientnet_b2(efficientnet_file: Path) -> keras.Model:
    """Keras's own, as it is where ImageNet weights are asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_utils, "get_file", lambda *_, **__: efficientnet_file)
        return keras.applications.EfficientNetB2(
            include_top=False, weights="imagenet", input_shape=SHAPE
        )


@functools.cache
def built(name: str) -> keras.Model:
    return zoo.build(name, InputSpec(*SHAPE), 7)


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    """The networks are forgotten at the end."""
    yield
    built.cache_clear()


def ours(name: str) -> keras.Model:
    """A network of ours, all of whose weights are 0: building one takes seconds."""
    network = built(name)
    for weight in network.weights:
        weight.assign(np.zeros(weight.shape, np.float32))
    return network


def maps(network: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """What the backbone of a network of ours makes of pictures."""
    backbone = keras.Model(network.input, network.get_layer("pool").input)
    return keras.ops.convert_to_numpy(backbone(inputs, training=False))


def assert_alike(network: keras.Model, theirs: keras.Model) -> None:
    """A network of ours sees in pictures what Keras's sees after its own preprocessing."""
    inputs = np.random.default_rng(5).integers(0, 256, (2, *SHAPE)).astype(np.float32)
    module = resnet if network.name == "resnet50" else efficientnet
    expected = keras.ops.convert_to_numpy(
        theirs(module.preprocess_input(inputs.copy()), training=False)
    )
    assert expected.std() > 0.01
    np.testing.assert_allclose(maps(network, inputs), expected, rtol=1e-3, atol=1e-4)


def unchanged_by(network: keras.Model, load: Callable[[], object]) -> None:
    before = network.get_weights()
    load()
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_none_changes_nothing():
    network = zoo.build("plain_cnn", InputSpec(48, 48, 1), 7)

    def load() -> None:
        assert load_pretrained(network, "plain_cnn", "none") == {}

    unchanged_by(network, load)


def test_the_published_files_are_those_of_keras():
    for name, module, key in (
        ("efficientnet_b2", efficientnet, "b2"),
        ("resnet50", resnet, "resnet50"),
    ):
        file = pretrained.IMAGENET_FILES[name]
        assert file.folder_url == (module.BASE_WEIGHTS_PATH)
        assert file.md5 == module.WEIGHTS_HASHES[key][1]
    known = {name for name, entry in zoo.ARCHITECTURES.items() if entry.pretrained == "imagenet"}
    assert set(pretrained.IMAGENET_FILES) == known


@pytest.mark.parametrize("way", ["legacy", "whole.keras", "only.weights.h5", "whole.h5", "nested"])
def test_resnet50_sees_as_keras_does(resnet50: keras.Model, way: str, tmp_path: Path):
    path = tmp_path / ("network.h5" if way in ("legacy", "nested") else way)
    if way == "legacy":
        save_legacy(resnet50, path)
    elif way == "only.weights.h5":
        resnet50.save_weights(path)
    elif way == "nested":
        pooled = keras.layers.GlobalAveragePooling2D()
        keras.Sequential([resnet50, pooled, keras.layers.Dense(7, name="logits")]).save(path)
    else:
        resnet50.save(path)
    network = ours("resnet50")
    source = load_pretrained(network, "resnet50", str(path))
    assert source == {
        "source": "file",
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "layers": "backbone",
    }
    assert_alike(network, resnet50)
    assert not network.get_layer("features").get_weights()[0].any()


def test_efficientnet_sees_as_keras_does(
    efficientnet_b2: keras.Model, efficientnet_file: Path, tmp_path: Path
):
    network = ours("efficientnet_b2")
    load_pretrained(network, "efficientnet_b2", str(efficientnet_file))
    assert_alike(network, efficientnet_b2)
    efficientnet_b2.save(tmp_path / "whole.keras")
    other = ours("efficientnet_b2")
    load_pretrained(other, "efficientnet_b2", str(tmp_path / "whole.keras"))
    assert_alike(other, efficientnet_b2)


def test_layers_with_other_names_are_taken_in_order(resnet50: keras.Model, tmp_path: Path):
    path = save_legacy(resnet50, tmp_path / "a.h5", rename=lambda name: f"x_{name}")
    network = ours("resnet50")
    load_pretrained(network, "resnet50", str(path))
    assert_alike(network, resnet50)


def test_a_normalisation_that_is_not_imagenets_is_refused(scratch_file: Path):
    network = ours("efficientnet_b2")

    def load() -> None:
        with pytest.raises(ModelError, match="normalised otherwise"):
            load_pretrained(network, "efficientnet_b2", str(scratch_file))

    unchanged_by(network, load)


@pytest.mark.parametrize("name", ["resnet50", "slim_resnet", "plain_cnn"])
def test_a_network_of_miens_comes_back_whole(name: str, tmp_path: Path):
    small = InputSpec(48, 48, 1)
    saved = randomised(ours(name) if name == "resnet50" else zoo.build(name, small, 7))
    saved.save(tmp_path / "best.keras")
    weights = saved.get_weights()
    network = ours(name) if name == "resnet50" else zoo.build(name, small, 7)
    source = load_pretrained(network, name, str(tmp_path / "best.keras"))
    assert source["layers"] == "all"
    for old, new in zip(weights, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_other_classes_get_a_new_head(tmp_path: Path):
    spec = InputSpec(48, 48, 1)
    saved = randomised(zoo.build("slim_resnet", spec, 7))
    saved.save(tmp_path / "best.keras")
    network = zoo.build("slim_resnet", spec, 8)
    logits = network.get_layer("logits").get_weights()[0].copy()
    assert load_pretrained(network, "slim_resnet", str(tmp_path / "best.keras"))["layers"] == (
        "backbone"
    )
    np.testing.assert_array_equal(network.get_weights()[0], saved.get_weights()[0])
    np.testing.assert_array_equal(network.get_layer("logits").get_weights()[0], logits)


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "."), content)
    return path


def hdf5(write: Callable[[h5py.File], object]) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        write(file)
    return buffer.getvalue()


def linked(file: h5py.File) -> None:
    file["layers"] = h5py.ExternalLink("elsewhere.h5", "/layers")


BROKEN = {
    "empty.h5": b"",
    "text.h5": b"weights",
    "pickle.h5": b"\x80\x04\x95",
    "hollow.h5": hdf5(lambda file: None),
    "linked.h5": hdf5(linked),
    "cut.h5": hdf5(lambda file: file.create_dataset("a", data=np.ones(9999)))[:5000],
}


@pytest.mark.parametrize("name", [*BROKEN, "zip.keras", "cut.keras"])
def test_broken_files_give_one_line(name: str, tmp_path: Path):
    path = tmp_path / name
    if name == "zip.keras":
        archive(path, config__json=b"{}")
    elif name == "cut.keras":
        archive(path, model__weights__h5=BROKEN["cut.h5"])
    else:
        path.write_bytes(BROKEN[name])
    network = zoo.build("slim_resnet", InputSpec(48, 48, 1), 7)

    def load() -> None:
        with pytest.raises(ModelError) as caught:
            load_pretrained(network, "slim_resnet", str(path))
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    unchanged_by(network, load)


def test_another_network_is_refused_with_what_differs(tmp_path: Path):
    spec = InputSpec(48, 48, 1)
    zoo.build("compact_cnn", spec, 7).save(tmp_path / "compact.keras")
    zoo.build("slim_resnet", spec, 7, widths=(48, 96, 208)).save(tmp_path / "wider.keras")
    zoo.build("slim_resnet", spec, 7, depths=(1, 1, 1)).save(tmp_path / "flatter.keras")
    network = zoo.build("slim_resnet", spec, 7)
    messages = {
        "compact.keras": r"no layer stem_conv; 24 of 24 layers are missing",
        "wider.keras": r"conv/kernel is \(3, 3, 96, 208\) there and \(3, 3, 96, 192\) here",
        "flatter.keras": r"no layer stage2_block2_1_conv; 4 of 24 layers are missing",
    }

    def load() -> None:
        for name, message in messages.items():
            with pytest.raises(ModelError, match=f"does not fit slim_resnet: .*{message}"):
                load_pretrained(network, "slim_resnet", str(tmp_path / name))

    unchanged_by(network, load)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path):
    spec = InputSpec(48, 48, 1)
    saved = zoo.build("slim_resnet", spec, 7)
    saved.weights[0].assign(np.full(saved.weights[0].shape, np.nan))
    saved.save(tmp_path / "nan.keras")
    with pytest.raises(ModelError, match="stem_conv holds values that are not numbers"):
        load_pretrained(
            zoo.build("slim_resnet", spec, 7), "slim_resnet", str(tmp_path / "nan.keras")
        )


def test_what_there_is_not():
    with pytest.raises(
        RecipeError, match=r"only for efficientnet_b2, resnet50; .*--pretrained FILE"
    ):
        load_pretrained(None, "plain_cnn", "imagenet")
    with pytest.raises(RecipeError, match="no architecture 'vgg'; known: wide_cnn"):
        load_pretrained(None, "vgg", "none")
    with pytest.raises(
        WeightsError, match=r"imagenets; name a \.keras, \.h5 or \.dat file, imagenet, or none"
    ):
        load_pretrained(None, "resnet50", "imagenets")


class Server(HTTPServer):
    """Answers every request alike."""

    def __init__(self, body: bytes, status: int = 200, announced: int | None = None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.status, self.requests = body, status, 0
        self.announced = len(body) if announced is None else announced

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        self.server.requests += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(self.server.announced))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, efficientnet_file: Path
) -> Iterator[Callable[..., Server]]:
    """Start servers; the pinned file is ours, and Keras's cache a new folder."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    (tmp_path / "keras").mkdir()
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path / "keras"))
    md5 = hashlib.md5(efficientnet_file.read_bytes()).hexdigest()
    file = replace(pretrained.IMAGENET_FILES["efficientnet_b2"], md5=md5)
    monkeypatch.setattr(pretrained, "IMAGENET_FILES", {"efficientnet_b2": file})
    servers = []

    def start(*arguments, **options) -> Server:
        servers.append(Server(*arguments, **options))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_imagenet_is_fetched_once(
    serve, efficientnet_file: Path, efficientnet_b2: keras.Model, tmp_path: Path, capfd
):
    server = serve(efficientnet_file.read_bytes())
    network = ours("efficientnet_b2")
    for _ in range(2):
        source = load_pretrained(network, "efficientnet_b2", "imagenet", folder_url=server.url)
    assert source == {
        "source": "imagenet",
        "file": "efficientnetb2_notop.h5",
        "sha256": hashlib.sha256(efficientnet_file.read_bytes()).hexdigest(),
        "layers": "backbone",
    }
    assert server.requests == 1
    assert (tmp_path / "keras" / "models" / source["file"]).is_file()
    assert_alike(network, efficientnet_b2)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"body": b"<html>log in</html>"}, "another file than the pinned one"),
        ({"body": b"", "status": 404}, "the server answered 404"),
        ({"body": b"", "status": 500}, "the server answered 500"),
        ({"body": b"x" * 100, "announced": 9999}, "got only 100 out of 9999 bytes"),
        (None, "Connection refused"),
    ],
)
def test_a_failed_download_names_the_other_ways(serve, answer, message, efficientnet_file: Path):
    url = serve(**answer).url if answer else "http://127.0.0.1:9/"
    with pytest.raises(WeightsError, match=message) as caught:
        load_pretrained(None, "efficientnet_b2", "imagenet", folder_url=url)
    assert "--pretrained FILE" in str(caught.value)
    assert "--pretrained none" in str(caught.value)
    assert "\n" not in str(caught.value)
    # Whatever is left behind is not taken for the file.
    good = serve(efficientnet_file.read_bytes())
    load_pretrained(ours("efficientnet_b2"), "efficientnet_b2", "imagenet", folder_url=good.url)
    assert good.requests == 1
