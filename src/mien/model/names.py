"""Which model file a person means: the one place where MODEL on a command line is understood.

``default`` and the names that `mien.model.store` knows come first, then folders of trainings, then
files; to mean a file that is called like a known name, write ``./name``. Keras files are told
from ONNX files by their ending alone, and of others the first bytes are looked at, to say what they
are. Keras files need Keras, so they are opened elsewhere (`mien.training.opening`).
"""

from pathlib import Path

from mien.errors import ModelError, WeightsError
from mien.model import store
from mien.model.foreign_files import foreign_file, foreign_folder

DEFAULT_MODEL = "mien-small-int8"
"""What ``default`` stands for: as accurate as mien-small, and faster."""

RUN_MODEL = "model.onnx"
"""Name of the model file in the folder of a training."""

_RUN_NETWORK = "best.keras"
"""Name of the network there; `mien.training.run_folder.BEST`."""

_KERAS_SUFFIXES = frozenset((".keras", ".h5", ".hdf5"))
_USE_ITS_ORIGIN = "use the ONNX or Keras file that it was made from"


def resolve_model(model: str) -> Path:
    """Find the ONNX file that a person means.

    Args:
        model: ``default``, the name of a classifier in `mien.model.store.MODEL_FILES`, the folder
            of a training, or an ``.onnx`` file.

    Returns:
        The path of a file that exists.

    Raises:
        WeightsError: the name is known, but its file is not on this machine.
        ModelError: nothing is called that, or it is there but not an ONNX file.
    """
    name = DEFAULT_MODEL if model == "default" else model
    if name in _names():
        found = store.find(name)
        if found is None:
            raise WeightsError(
                f"the model {name} is not on this machine; get it with: mien fetch {name}"
            )
        return found
    try:
        return _from_path(model)
    except OSError as error:
        raise ModelError(f"cannot read {model}: {error.strerror or error}") from error


def is_known(model: str) -> bool:
    """Whether a person means a model by its name, ``default`` included."""
    return model in ("default", *_names())


def find_keras_file(model: str) -> Path | None:
    """The Keras file that a person means, or None where MODEL is anything else.

    A ``.json`` counts as one: the description of a network whose weights lie beside it.

    Args:
        model: as typed; a name that is known is never a Keras file.
    """
    path = Path(model).expanduser()
    try:
        is_keras = path.suffix.lower() in (*_KERAS_SUFFIXES, ".json") and path.is_file()
    except OSError:
        return None
    return path if is_keras and not is_known(model) else None


def _from_path(model: str) -> Path:
    path = Path(model).expanduser()
    if path.is_dir():
        return _model_of_run(path)
    told = foreign_file(path) if path.is_file() else ""
    if told:
        raise ModelError(f"{model} {told}")
    if path.suffix.lower() in _KERAS_SUFFIXES and path.is_file():
        raise ModelError(
            f"{model} is a Keras file; make an ONNX file of it with: mien export {model} --data SRC"
        )
    if path.suffix.lower() == ".onnx" and path.is_file():
        return path
    if path.exists():
        raise ModelError(
            f"{model} is not a model; name an .onnx or Keras file, or the folder of a training"
        )
    if path.suffix.lower() in {".onnx", *_KERAS_SUFFIXES}:
        raise ModelError(f"no such model file: {model}; make one with: mien train, mien export")
    known = ", ".join(("default", *_names()))
    raise ModelError(f"no model is called {model}; known names: {known}; or name a file or folder")


def _names() -> list[str]:
    return [name for name, file in store.MODEL_FILES.items() if file.kind == "classifier"]


def _model_of_run(folder: Path) -> Path:
    model = folder / RUN_MODEL
    if model.is_file():
        return model
    if (folder / _RUN_NETWORK).is_file():
        raise ModelError(f"{folder} has no {RUN_MODEL} yet; make it with: mien export {folder}")
    if (folder / "saved_model.pb").is_file():
        raise ModelError(f"{folder} is a SavedModel, which is a program; {_USE_ITS_ORIGIN}")
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in {".onnx", *_KERAS_SUFFIXES} and path.is_file():
            raise ModelError(f"{folder} is not the folder of a training; name a file in it: {path}")
    if told := foreign_folder(folder):
        raise ModelError(f"{folder} {told}")
    raise ModelError(f"{folder} is not the folder of a training: it holds no {RUN_MODEL}")
