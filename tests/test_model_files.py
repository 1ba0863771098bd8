"""MODEL on a command line: names, folders, files, and what to do where there is none."""

import zipfile
from pathlib import Path

import pytest

from mien.errors import ModelError, WeightsError
from mien.model import store
from mien.model.names import DEFAULT_MODEL, find_keras_file, resolve_model


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
        ("photo.jpg", b"\xff\xd8\xff", "not a model"),
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
    with zipfile.ZipFile(tmp_path / "weights.bin", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\0.")
    with pytest.raises(ModelError, match="PyTorch"):
        resolve_model(str(tmp_path / "weights.bin"))


@pytest.mark.parametrize("name", ["lfs.h5", "lfs.keras"])
def test_pointers_in_place_of_keras_files_are_told(tmp_path: Path, name: str) -> None:
    pytest.importorskip("keras", reason="needs the train extra")
    from mien.formats.keras_files import load_network

    (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(ModelError, match="git lfs pull"):
        load_network(tmp_path / name)
