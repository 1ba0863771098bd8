"""One layer of older Keras in the words of today's, with the arithmetic of that time.

Names of classes, arguments and functions changed; some that stayed compute something else now.
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras

from mien.errors import ModelError
from mien.formats.keras_config import activation_names
from mien.formats.keras_graphs import plain_name

_VERSION = re.compile(r"\d+")
_NUMBERED = re.compile(r"(.+?)_?[vV]\d")


@dataclass(frozen=True, slots=True)
class Origin:
    """Which Keras wrote a file."""

    version: tuple[int, ...] = (3,)
    """Its version."""
    backend: str | None = None
    """Its backend; None where the file does not say."""

    @classmethod
    def of(cls, version: str, backend: str | None = None) -> "Origin":
        """From the words of a file, e.g. ``2.2.4-tf``."""
        numbers = _VERSION.findall(version[:20].split("-")[0])
        return cls(tuple(map(int, numbers[:3])) or (1,), backend)

    @property
    def is_old(self) -> bool:
        """Whether it was Keras 1 or 2."""
        return self.version < (3,)


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read, and what for."""

    origin: Origin
    """Which Keras wrote it."""
    name: str
    """What the file is called in messages."""
    for_inference: bool
    """Whether layers that act in training only become ones that do nothing."""


def _refuse_quantized(dtype: Any, name: str) -> None:
    """Refuse what `keras.Model.quantize` leaves: integers, and how much each of them stands for."""
    if isinstance(dtype, dict):
        inner = dtype.get("config")
        is_quantized = isinstance(inner, dict) and "source_name" in inner
    else:
        is_quantized = "_from_" in str(dtype)
    if is_quantized:
        raise ModelError(
            f"{name} was quantized by Keras, which is not read; name the network as it was before "
            "that; 8-bit integers come with: mien export --to onnx-int8"
        )


def modern_layer(kind: str, old: Mapping[str, Any], reading: Reading) -> tuple[str, dict[str, Any]]:
    """Class and arguments of one layer that is no network.

    Raises:
        ModelError: nobody can tell what it computed.
    """
    new = dict(old)
    if isinstance(new.get("name"), str):
        new["name"] = plain_name(new["name"])
    if "dtype" in new and kind not in ("DTypePolicy", "Policy"):
        _refuse_quantized(new["dtype"], reading.name)
        # Half precision of the training; the stored weights are float32.
        new["dtype"] = "float32"
    axis = new.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        new["axis"] = axis[0]
    if kind == "InputLayer" and "batch_input_shape" in new:
        new["batch_shape"] = new.pop("batch_input_shape")
    if kind.startswith(("DepthwiseConv", "Separable", "Conv2DTranspose")):
        if new.get("groups") == 1:
            del new["groups"]
        if kind.startswith("Separable"):
            for part in ("initializer", "regularizer", "constraint"):
                new.pop(f"kernel_{part}", None)
    kind, new = _modern_keras_1(kind, new)
    _modern_activations(new, reading)
    if reading.origin.is_old:
        kind, new = _modern_keras_2(kind, new, reading)
    if reading.for_inference and _acts_in_training_only(kind, new):
        return "Identity", _kept(new)
    return kind, new


def _acts_in_training_only(kind: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a layer of Keras does nothing but in training."""
    if kind == "Pipeline":
        inside = arguments.get("layers")
        return isinstance(inside, list) and all(
            isinstance(layer, dict) and layer.get("class_name") == "Identity" for layer in inside
        )
    is_random = kind.startswith("Random") and not hasattr(keras.initializers, kind)
    return kind in _TRAINING_ONLY or is_random


_TRAINING_ONLY = frozenset(
    (
        *("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "StochasticDepth"),
        *("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "ActivityRegularization"),
        *("MixUp", "CutMix", "AugMix", "RandAugment", "Solarization"),
    )
)


def _kept(arguments: Mapping[str, Any], *more: str) -> dict[str, Any]:
    """What another layer in the place of one keeps of its arguments."""
    keys = ("name", "batch_input_shape", *more)
    return {key: arguments[key] for key in keys if key in arguments}


_KERAS_1_KINDS = {
    "Convolution2D": "Conv2D",
    "SeparableConvolution2D": "SeparableConv2D",
    "AtrousConvolution2D": "Conv2D",
}

_KERAS_1_NAMES = {
    "nb_filter": "filters",
    "subsample": "strides",
    "border_mode": "padding",
    "bias": "use_bias",
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "atrous_rate": "dilation_rate",
    "p": "rate",
    "sigma": "stddev",
    "output_dim": "units",
}
_KERAS_1_RENAMED = ("Conv2D", "SeparableConv2D", "Dense", "Dropout", "GaussianNoise")


def _modern_keras_1(kind: str, new: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """As Keras 1 called it; what it calls as Keras 3 does passes unchanged."""
    kind = _KERAS_1_KINDS.get(kind, kind)
    if "nb_row" in new and "nb_col" in new:
        new["kernel_size"] = [new.pop("nb_row"), new.pop("nb_col")]
    order = new.pop("dim_ordering", None)
    if order is not None:
        new["data_format"] = {"tf": "channels_last", "th": "channels_first"}.get(order, order)
    renamed = kind in _KERAS_1_RENAMED or "Dropout" in kind or "border_mode" in new
    for old, today in _KERAS_1_NAMES.items():
        if renamed and old in new and today not in new:
            new[today] = new.pop(old)
    if kind == "BatchNormalization" and new.get("mode") == 0:
        del new["mode"]
        for old, today in (("gamma_init", "gamma_initializer"), ("beta_init", "beta_initializer")):
            if old in new:
                new[today] = new.pop(old)
    if kind == "Dense" and "units" in new:
        new.pop("input_dim", None)
    return kind, new


def _modern_activations(new: dict[str, Any], reading: Reading) -> None:
    """Functions by the names that today's Keras has for them, computing what they did."""
    for key in ("activation", "recurrent_activation"):
        function = new.get(key)
        if (
            isinstance(function, dict)
            and function.get("class_name") == "function"
            and function.get("module") in (None, "builtins", "keras.activations")
        ):
            # TensorFlow's own functions, as TensorFlow 2.13 and later wrote them.
            function = function.get("config")
        if not isinstance(function, str):
            continue
        numbered = _NUMBERED.fullmatch(function)
        if numbered and numbered[1] in activation_names():
            function = numbered[1]
        if function == "identity":
            function = "linear"
        if reading.origin.is_old and function == "hard_sigmoid":
            new[key] = _OLD_HARD_SIGMOID
        elif reading.origin.is_old and function in ("LeakyReLU", "ReLU", "ELU", "Softmax"):
            new[key] = _stock(function, {})
        elif function in activation_names():
            new[key] = function


def _stock(kind: str, arguments: dict[str, Any], module: str = "keras.layers") -> dict[str, Any]:
    return {"module": module, "class_name": kind, "config": arguments, "registered_name": None}


_OLD_HARD_SIGMOID = _stock(
    "Sequential",
    {
        "name": "hard_sigmoid",
        "layers": [
            _stock("Rescaling", {"scale": 0.2, "offset": 0.5}),
            _stock("ReLU", {"max_value": 1.0}),
        ],
    },
    "keras",
)
"""0.2 x + 0.5 between 0 and 1; Keras 3 computes x / 6 + 0.5 under the same name."""


def _modern_keras_2(kind: str, new: dict[str, Any], reading: Reading) -> tuple[str, dict[str, Any]]:
    """As Keras 2 and TensorFlow called it."""
    numbered = _NUMBERED.fullmatch(kind)
    if numbered and not hasattr(keras.layers, kind) and hasattr(keras.layers, numbered[1]):
        kind = numbered[1]  # BatchNormalizationV1 of TensorFlow 1.13
    if kind == "SyncBatchNormalization":
        kind = "BatchNormalization"  # they differ in training over several machines
    if kind == "ThresholdedReLU" and "theta" in new:
        kind = "ReLU"
        new["threshold"] = new.pop("theta")
    if kind in ("LeakyReLU", "GRU", "RandomCrop", "UpSampling2D"):
        kind, new = _with_old_arithmetic(kind, new, reading)
    _drop_unusable(new)
    known = _arguments_of(kind)
    if known is not None:
        # Arguments that Keras 3 does not know go where they ask for nothing.
        new = {k: v for k, v in new.items() if k in known or v not in (None, False, [], "")}
        for key in _HARMLESS - known:
            new.pop(key, None)
    return kind, new


_HARMLESS = frozenset(
    (
        *("implementation", "input_dim", "input_length", "rng_type", "fused"),
        *("query_shape", "key_shape", "value_shape"),
    )
)
"""Arguments of Keras 2 that choose between equal ways to compute, or repeat a shape."""


_UPSAMPLED_AS_TODAY = (2, 3)
"""Before, TensorFlow 1 laid the pixels of both pictures corner on corner and TensorFlow 2 middle on
middle, and files of both say 2.2.4-tf."""


def _with_old_arithmetic(
    kind: str, new: dict[str, Any], reading: Reading
) -> tuple[str, dict[str, Any]]:
    """Layers whose arguments, or their absence, meant something else."""
    if kind == "LeakyReLU" and "alpha" in new:
        new["negative_slope"] = new.pop("alpha")
    if kind == "GRU":
        new.setdefault("reset_after", False)
    if kind == "RandomCrop" and reading.for_inference:
        # Outside training, Keras 2 cut out the middle, and Keras 3 nothing.
        return "Resizing", {**_kept(new, "height", "width"), "crop_to_aspect_ratio": True}
    interpolation = new.get("interpolation", "nearest")
    if (
        kind == "UpSampling2D"
        and interpolation != "nearest"
        and reading.origin.version < _UPSAMPLED_AS_TODAY
    ):
        raise ModelError(
            f"{reading.name} enlarges by {interpolation} interpolation in its layer "
            f"{new.get('name')!r}, as Keras {'.'.join(map(str, reading.origin.version))} did with "
            "TensorFlow 1 or 2, which differ; save it again with TensorFlow 2.2 or later"
        )
    return kind, new


def _drop_unusable(new: dict[str, Any]) -> None:
    """Leave out what training alone needs, where today's Keras does not know it: the weights come
    from the file."""
    spaces = {
        "_initializer": keras.initializers,
        "_regularizer": keras.regularizers,
        "_constraint": keras.constraints,
    }
    for key in list(new):
        space = next((space for end, space in spaces.items() if key.endswith(end)), None)
        value = new[key]
        if space is None or value is None:
            continue
        if isinstance(value, str):
            try:
                space.get(value)
            except (ValueError, TypeError):
                del new[key]
        elif isinstance(value, dict):
            kind = str(value.get("class_name"))
            arguments = value.get("config")
            known = _signature(getattr(space, kind, None))
            if known is None or not isinstance(arguments, dict):
                del new[key]
                continue
            value["config"] = {name: a for name, a in arguments.items() if name in known}
            value |= {"module": space.__name__, "registered_name": None}


def _arguments_of(kind: str) -> frozenset[str] | None:
    """Arguments that a layer of today's Keras knows; None where it has no such layer."""
    known = _signature(getattr(keras.layers, kind, None))
    return None if known is None else known | _ARGUMENTS_OF_ALL


_ARGUMENTS_OF_ALL = frozenset(("name", "trainable", "dtype", "activity_regularizer"))


@cache
def _signature(kind: Any) -> frozenset[str] | None:
    if not isinstance(kind, type):
        return None
    return frozenset(inspect.signature(kind).parameters) - {"kwargs", "args"}
