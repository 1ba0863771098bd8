"""A model file, opened: a network that runs, and the card that says what it is.

Everything about the network comes from the card inside its file, and nothing from its name. On
load the file is checked against its seal, the card against the graph, and three inputs made by
arithmetic must give the probabilities that the card expects: a file that was damaged, edited, or
is computed wrongly on this machine is refused, not believed. CPU kernels are used where nothing
else is asked for: a face takes under a millisecond there.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError
from mien.model.card import GOLDEN_TOLERANCE, METADATA_KEY, ModelCard, golden_inputs
from mien.model.seal import SEAL_KEY, is_intact
from mien.model.sessions import ExecutionProvider, Session, open_session

_REMEDY = "get a good copy or export it again"
_NEWER = re.compile(
    r"(Opset) (\d+) is under development.* till opset (\d+)"
    r"|model (IR version): (\d+), max supported IR version: (\d+)"
)
"""What ONNX Runtime says of files that are newer than itself."""


class Network:
    """A network and its card, ready to run. May be shared by threads.

    Args:
        model: an ``.onnx`` file with a card, or its bytes.
        threads: processor threads for one batch; 2, or 1 where this process may use a single
            processor, where None.
        provider: what computes it; see docs/execution_providers.md.

    Raises:
        ModelError: the file is not there, corrupt, has no card, or contradicts its card; or the
            provider does not start.
        MissingExtraError: the installed ONNX Runtime does not have that provider.
    """

    def __init__(
        self,
        model: Path | str | bytes,
        *,
        threads: int | None = None,
        provider: ExecutionProvider = "cpu",
    ) -> None:
        name = "the model" if isinstance(model, bytes) else str(model)
        self.provider: ExecutionProvider = provider
        """What computes it."""
        self.threads = threads
        """As given."""
        self.content = model if isinstance(model, bytes) else _read(Path(model))
        """The ONNX file."""
        self._session = _open_session(self.content, name, threads, provider)
        self.card = _read_card(self._session, self.content, name)
        """The card inside the file."""
        self._at_once = self.card.input.batch_faces
        self._input_name = _check_graph(self._session, self.card, name)
        _check_golden(self, name)

    def logits(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network on prepared input.

        Args:
            inputs: float32 (n, height, width, channels) as the card says, values 0..255.

        Returns:
            float32 (n, classes); n may be 0.

        Raises:
            ValueError: the input has another shape or dtype.
        """
        if inputs.dtype != np.float32 or inputs.shape[1:] != self.card.input_shape:
            raise ValueError(
                f"expected float32 (n, {', '.join(map(str, self.card.input_shape))}), "
                f"got {inputs.dtype} {inputs.shape}"
            )
        if not len(inputs):
            return np.empty((0, len(self.card.labels)), np.float32)
        parts = [
            self._session.run(None, {self._input_name: inputs[start : start + self._at_once]})[0]
            for start in range(0, len(inputs), self._at_once)
        ]
        return np.asarray(parts[0] if len(parts) == 1 else np.concatenate(parts), np.float32)


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities of logits (n, classes) divided by a temperature, float64 (n, classes)."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"no such model file: {path}") from error
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error


def _open_session(
    content: bytes, name: str, threads: int | None, provider: ExecutionProvider
) -> Session:
    try:
        return open_session(content, threads=threads, provider=provider)
    except ValueError as error:
        if provider != "cpu":
            raise ModelError(
                f"{name} does not run with the execution provider {provider} ({error}); leave "
                "--execution-provider out to use the processor"
            ) from error
        if "xternal data" in str(error):
            raise ModelError(
                f"{name} keeps weights in a second file, which mien does not read; save it as one: "
                "onnx.save(onnx.load(PATH), NEW)"
            ) from error
        if newer := _NEWER.search(str(error)):
            what, its, known = (word.replace("O", "o") for word in newer.groups() if word)
            raise ModelError(
                f"{name} is of ONNX's {what} {its}, and the installed ONNX Runtime knows "
                f"{known} at most; export it for an older one, or update onnxruntime"
            ) from error
        raise ModelError(f"{name} is not a working ONNX file ({error}); {_REMEDY}") from error


def _read_card(session: Session, content: bytes, name: str) -> ModelCard:
    try:
        metadata = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError as error:
        raise ModelError(f"{name} is damaged (its metadata are no text); {_REMEDY}") from error
    if METADATA_KEY not in metadata:
        raise ModelError(
            f"{name} has no model card, so its labels and input are unknown; "
            "use a file made by: mien export"
        )
    try:
        card = ModelCard.from_json(metadata[METADATA_KEY])
    except ModelError as error:
        raise ModelError(f"{name}: {error}; {_REMEDY}") from error
    if not is_intact(content, metadata.get(SEAL_KEY, "")):
        raise ModelError(f"{name} was damaged or edited after its export; {_REMEDY}")
    return card


def _check_graph(session: Session, card: ModelCard, name: str) -> str:
    """Compare the graph with the card; returns the name of its input."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{name} has {len(inputs)} inputs and {len(outputs)} outputs; expected one of each"
        )
    _check_tensor(inputs[0], card.input_shape, f"{name}: input")
    _check_tensor(outputs[0], (len(card.labels),), f"{name}: output")
    return str(inputs[0].name)


def _check_tensor(tensor: Any, shape: tuple[int, ...], what: str) -> None:
    """One tensor's type and its shape after the batch; a size that the graph leaves open passes."""
    batch, *sizes = tensor.shape or [None]
    fits = len(sizes) == len(shape) and all(
        size == wanted or not isinstance(size, int)
        for size, wanted in zip(sizes, shape, strict=True)
    )
    if tensor.type != "tensor(float)" or isinstance(batch, int) or not fits:
        raise ModelError(
            f"{what} is {tensor.type} {tensor.shape}, but the card says "
            f"tensor(float) ['n', {', '.join(map(str, shape))}]; export the model again"
        )


def _check_golden(network: Network, name: str) -> None:
    """Recompute the card's golden outputs."""
    card = network.card
    inputs = golden_inputs(card.input)
    if len(card.golden) != len(inputs):
        raise ModelError(
            f"{name}: the card has {len(card.golden)} golden outputs, expected {len(inputs)}; "
            "export the model again"
        )
    try:
        with np.errstate(all="ignore"):  # a damaged network may give infinities
            computed = softmax(network.logits(inputs.astype(np.float32)))
    except Exception as error:  # as above
        reason = str(error).split("\n")[0].strip()
        raise ModelError(f"{name} cannot be computed ({reason}); export it again") from error
    expected = np.asarray(card.golden)
    if computed.shape != expected.shape or not np.allclose(
        computed, expected, rtol=0.0, atol=GOLDEN_TOLERANCE[card.precision]
    ):
        if network.provider != "cpu":
            raise ModelError(
                f"{name}, computed by {network.provider}, differs from what its card expects; "
                "take a model in float32, as mien-small, or leave --execution-provider out"
            )
        raise ModelError(
            f"{name} does not compute what its card expects (golden outputs differ); "
            "the file is damaged: get a good copy or export it again"
        )
