"""A bundle with another card: the network stays as it is, the seal is made anew.

Apart from `mien.formats.bundle` because it takes no Keras: a card is changed in a moment.
"""

from pathlib import Path

from mien.errors import needs_extra
from mien.files import atomic_file
from mien.model_card import METADATA_KEY, ModelCard
from mien.seal import SEAL_KEY, UNSEALED, seal


def write_bundle(bundle: bytes, out: Path) -> Path:
    """Write a bundle atomically.

    Raises:
        OutputError: the file cannot be written; an older one is still there.
    """
    with atomic_file(out) as temporary:
        temporary.write_bytes(bundle)
    return out


def with_card(bundle: bytes, card: ModelCard) -> bytes:
    """A copy of an ONNX file with another card, sealed; the graph stays as it is."""
    with needs_extra("train"):
        import onnx
    model = onnx.load_model_from_string(bundle)
    del model.metadata_props[:]
    for key, value in ((METADATA_KEY, card.to_json()), (SEAL_KEY, UNSEALED)):
        model.metadata_props.add(key=key, value=value)
    return seal(model.SerializeToString(deterministic=True))
