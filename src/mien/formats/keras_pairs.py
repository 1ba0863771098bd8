"""A network in two files: ``model.json`` beside the weights that belong to it."""

from pathlib import Path

from mien.errors import ModelError
from mien.formats.keras_files import holds_weights_alone, read_description

DESCRIPTION_SUFFIX = ".json"
"""Ending of what `keras.Model.to_json` gives, saved."""

_ENDINGS = (".weights.h5", ".h5", ".hdf5")


def weights_of(description: Path) -> Path:
    """The weights that lie beside a description.

    Those of the same name come first (``face.json``: ``face.weights.h5``, ``face.h5``,
    ``face_weights.h5``), then the only file of weights in the folder.

    Raises:
        ModelError: there are none, or more than one that it could be; or it describes no network.
    """
    stem = description.stem
    names = [f"{stem}{ending}" for ending in _ENDINGS]
    names += [f"{stem}{joint}weights{ending}" for joint in "_-" for ending in _ENDINGS[1:]]
    for name in names:
        if (found := description.with_name(name)).is_file():
            return found
    try:
        files = sorted(description.parent.iterdir())
    except OSError:
        files = []
    others = [file for file in files if file.suffix.lower() in _ENDINGS and _are_weights(file)]
    if len(others) == 1:
        return others[0]
    read_description(description)
    beside = "there is more than one file of weights" if others else "there are no weights"
    raise ModelError(
        f"{description} describes a network, and {beside} beside it; call its weights "
        f"{stem}.h5 and put them into the same folder"
    )


def _are_weights(path: Path) -> bool:
    try:
        return path.is_file() and holds_weights_alone(path)
    except ModelError:
        return False
