"""Why Keras, TensorFlow or ONNX Runtime could not do something, in one line of their words."""

import re

_BEFORE_THE_REASON = re.compile(
    r".*Exception encountered: |.*?Exception encountered when calling .*?\.\s*\n", re.DOTALL
)
_CONFIGURATION = re.compile(r" using config=\{.*?\}\.|\s*config=\{.*?\}\.", re.DOTALL)
_COLOUR = re.compile(r"\x1b\[\d*m")


def reason_of(error: BaseException) -> str:
    """The line of a message that says why, without the configurations and colours around it."""
    text = _COLOUR.sub("", str(error))
    text = _BEFORE_THE_REASON.sub("", text)
    text = _CONFIGURATION.sub("", text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")
