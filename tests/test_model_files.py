"""MODEL on a command line: names, folders, files, and what to do where there is none."""

import zipfile
from pathlib import Path

import pytest

from mien.errors import ModelError, WeightsError
from mien.model import store
from mien.model.names import DEFAULT_MODEL, find_keras_file, resolve_model
from mien.model.network import Network


def test_default_stands_for_a_classifier_that_is_known() -> None:
    assert store.MODEL_FILES[DEFAULT_MODEL].kind == "classifier"


def test_names_come_from_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def find(name: str) -> Path:
        asked.append(name)
        return tmp_path / name

    monkeypatch.setattr(store, "find", find)
    assert resolve_model("default") == tmp_path / DEFAULT_MODEL
    assert resolve_model(DEFAULT_MODEL) == tmp_path / DEFAULT_MODEL
    assert asked == [DEFAULT_MODEL, DEFAULT_MODEL]


def test_known_name_without_file_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "find", lambda name: None)
    with pytest.raises(WeightsError, match=f"mien fetch {DEFAULT_MODEL}"):
        resolve_model("default")


def test_detector_is_not_a_model() -> None:
    with pytest.raises(ModelError, match="known names: default, mien-small"):
        resolve_model("yunet")


def test_run_folder_and_file(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    model = run / "model.onnx"
    model.write_bytes(b"")
    assert resolve_model(str(run)) == model
    assert resolve_model(str(model)) == model
    loud = tmp_path / "LOUD.ONNX"
    loud.write_bytes(b"")
    assert resolve_model(str(loud)) == loud


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "m.onnx").write_bytes(b"")
    assert resolve_model("~/m.onnx") == tmp_path / "m.onnx"


def test_run_folder_that_was_not_exported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not the folder of a training"):
        resolve_model(str(tmp_path))
    (tmp_path / "best.keras").write_bytes(b"")
    with pytest.raises(ModelError, match=f"mien export {tmp_path}$"):
        resolve_model(str(tmp_path))


@pytest.mark.parametrize("name", ["best.keras", "old.h5", "older.HDF5"])
def test_keras_files_are_found_but_are_no_onnx_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert find_keras_file(str(path)) is None
    path.write_bytes(b"")
    assert find_keras_file(str(path)) == path
    with pytest.raises(ModelError, match=f"Keras file.*mien export {path} --data SRC"):
        resolve_model(str(path))


def test_everything_else_is_no_keras_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.onnx").write_bytes(b"")
    (tmp_path / "folder.h5").mkdir()
    for model in ("default", "yunet", tmp_path / "m.onnx", tmp_path / "folder.h5", "x" * 5000):
        assert find_keras_file(str(model)) is None
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "m.h5").write_bytes(b"")
    assert find_keras_file("~/m.h5") == tmp_path / "m.h5"


def test_formats_that_are_only_written_name_their_origin(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(b"")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    for name, kind in (("m.tflite", "a LiteRT file"), ("saved", "a SavedModel")):
        with pytest.raises(ModelError, match=f"is {kind}.*ONNX or Keras file"):
            resolve_model(str(tmp_path / name))


def test_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ModelError, match="is not a model"):
        resolve_model(str(tmp_path / "a.txt"))
    for missing in ("missing", str(tmp_path / "missing.onnx"), "missing.keras"):
        with pytest.raises(ModelError, match=r"no (model is called|such model file)"):
            resolve_model(missing)
    with pytest.raises(ModelError, match="File name too long"):
        resolve_model("x" * 5000)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("net.pt", b"", "PyTorch"),
        ("net.pth", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "PyTorch"),
        ("old.bin", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "PyTorch"),
        ("net.pkl", b"\x80\x04N.", "is a pickle, which runs code"),
        ("net.safetensors", b"\2\0\0\0\0\0\0\0{}", "without their network"),
        ("frozen.pb", b"\n\5abc", "TensorFlow"),
        ("model.ckpt.index", b"x", "checkpoint"),
        ("net.mlmodel", b"\x08\4", "Core ML"),
        ("cascade.xml", b"<opencv_storage/>", "OpenVINO"),
        ("page.onnx", b"<!DOCTYPE html><html>", "web page"),
        ("lfs.onnx", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        ("photo.jpg", b"\xff\xd8\xff", "is a picture, not a model"),
        ("photo.onnx", b"\x89PNG\r\n\x1a\n", "is a picture, not a model"),
        ("model.ckpt.data-00000-of-00001", b"x", "checkpoint"),
        ("named.onnx", b"\x20\0\0\0TFL3", "is a LiteRT file"),
        ("runtime.onnx", b"\x20\0\0\0ORTM", "in ONNX Runtime's own format"),
        ("tensors.onnx", b'\x40\0\0\0\0\0\0\0{"w":', "without their network"),
        ("sklearn.onnx", b"\x80\x05N.", "is a pickle, which runs code"),
    ],
)
def test_files_of_other_programs_are_called_what_they_are(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=words) as caught:
        resolve_model(str(tmp_path / name))
    assert str(caught.value).startswith(f"{tmp_path / name} ")


def test_what_torch_saves_is_known_by_its_content(tmp_path: Path) -> None:
    for name in ("weights.bin", "weights.onnx"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02}q\0.")
        with pytest.raises(ModelError, match="PyTorch"):
            resolve_model(str(tmp_path / name))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (("net.onnx",), "is not the folder of a training; name a file in it: {}/net.onnx"),
        (("b.h5", "a.keras"), "is not the folder of a training; name a file in it: {}/a.keras"),
        (("best.keras",), "has no model.onnx yet; make it with: mien export {}"),
        (("config.json", "model.safetensors"), "its model.safetensors holds tensors without"),
        (("model.ckpt.data-00000-of-00001",), "is part of a TensorFlow checkpoint"),
        (("notes.txt",), "is not the folder of a training: it holds no model.onnx"),
    ],
)
def test_what_lies_in_a_folder_is_told(tmp_path: Path, files: tuple[str, ...], words: str) -> None:
    for name in files:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ModelError) as caught:
        resolve_model(str(tmp_path))
    assert str(caught.value).startswith(f"{tmp_path} ")
    assert words.format(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("opset", "version", "words"), [(900, 8, "opset 900"), (17, 900, "IR version 900")]
)
def test_a_newer_onnx_is_told(tmp_path: Path, opset: int, version: int, words: str) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the train extra")
    made = onnx.parser.parse_model(
        f'<ir_version: {version}, opset_import: ["" : {opset}]> '
        "g (float[n, 4] x) => (float[n, 4] y) { y = Relu(x) }"
    )
    (tmp_path / "newer.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(ModelError, match=f"is of ONNX's {words}, and the installed .* at most"):
        Network(tmp_path / "newer.onnx")


@pytest.mark.parametrize("name", ["torch.h5", "torch.keras"])
def test_what_torch_saves_is_told_in_place_of_keras_files(tmp_path: Path, name: str) -> None:
    pytest.importorskip("keras", reason="needs the train extra")
    from mien.formats.keras_files import load_network

    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\0.")
    with pytest.raises(ModelError, match="PyTorch"):
        load_network(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"format": "layers-model", "modelTopology": {}}', "TensorFlow.js"),
        ('{"architectures": ["ViTForImageClassification"]}', "does not describe a Keras network"),
    ],
)
def test_a_json_without_weights_that_is_no_network_is_told_for_that(
    tmp_path: Path, content: str, words: str
) -> None:
    pytest.importorskip("keras", reason="needs the train extra")
    from mien.formats.keras_pairs import weights_of

    (tmp_path / "model.json").write_text(content)
    with pytest.raises(ModelError, match=words):
        weights_of(tmp_path / "model.json")


@pytest.mark.parametrize("name", ["lfs.h5", "lfs.keras"])
def test_pointers_in_place_of_keras_files_are_told(tmp_path: Path, name: str) -> None:
    pytest.importorskip("keras", reason="needs the train extra")
    from mien.formats.keras_files import load_network

    (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(ModelError, match="git lfs pull"):
        load_network(tmp_path / name)
