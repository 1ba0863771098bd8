"""The page of `mien serve` for any static host."""

from pathlib import Path

from mien.errors import ModelError, WeightsError
from mien.files import atomic_folder
from mien.model import store
from mien.page.files import NO_CROP, static_files, why_not_in_browser
from mien.workflows.models import open_model


def export_page(out: str | Path, model: str | Path = "default", *, offline: bool = False) -> Path:
    """Write the page that recognises in visitors' browsers, for any static host.

    Args:
        out: the folder; an older one that this made is replaced.
        model: as in `open_model`.
        offline: never fetch YuNet.

    Returns:
        The folder.

    Raises:
        ModelError: as `open_model`, or the model cannot run with YuNet's crops.
        WeightsError: YuNet or the files of ONNX Runtime Web are not on this machine; the message
            says how to get them.
        OutputError: the folder cannot be written, or holds other files.
    """
    opened = open_model(model)
    bundle = opened.bundle()
    card = opened.classifier().card
    if store.find("yunet") is None and not offline:
        store.fetch("yunet")
    why = why_not_in_browser(card)
    if why:
        raise (ModelError if why == NO_CROP else WeightsError)(f"no page can be written: {why}")
    folder = Path(out)
    with atomic_folder(folder) as temporary:
        for path, file in static_files(bundle, card).items():
            target = temporary / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.content)
    return folder
