"""Files of other programs that people name as a model: what each is, and what to use instead.

Known by their first bytes where those tell, else by their endings. Nothing of them is loaded.
"""

import zipfile
from pathlib import Path

_HEAD_BYTES = 64
_MOST_FILES = 100
_LONGEST_HEADER = 100_000_000
_OBJECTS = (b'{"', b"{}")
_FROM_ORIGIN = "use the Keras file that it was made from"
_PICKLE = "which runs code when it is loaded and is never read; use a Keras file"
_PYTORCH = f"is a file of PyTorch, {_PICKLE}"

_TENSORS = "holds tensors without their network; name an .onnx or Keras file"
_LITERT = "is a LiteRT file; use the ONNX or Keras file that it was made from"
_OF_RUNTIME = "is in ONNX Runtime's own format; use the .onnx file that it was made from"
_PICTURE = "is a picture, not a model; name an .onnx or Keras file"

_STARTS = (
    (
        b"version https://git-lfs",
        "is a pointer of Git LFS, not the file; get that with: git lfs pull",
    ),
    (b"<!doctype html", "is a web page, not a model; download the file itself"),
    (b"<html", "is a web page, not a model; download the file itself"),
    (b"\x80\x02\x8a\nl\xfc\x9cf\xf9 j\xa8p\x19", _PYTORCH),
)
"""First bytes, in lower case. The last one is PyTorch's magic number before version 1.6."""

_MARKS = (
    *((0, bytes((0x80, protocol)), f"is a pickle, {_PICKLE}") for protocol in range(2, 6)),
    (4, b"tfl3", _LITERT),
    (4, b"ortm", _OF_RUNTIME),
    (0, b"\xff\xd8\xff", _PICTURE),
    (0, b"\x89png", _PICTURE),
)
"""Where bytes stand, in lower case, by which files are known whose endings do not tell."""

_ENDINGS = {
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".torchscript"), _PYTORCH),
    **dict.fromkeys((".pkl", ".pickle", ".joblib", ".sav"), f"is a pickle, {_PICKLE}"),
    ".safetensors": _TENSORS,
    ".pb": f"is a graph of TensorFlow; {_FROM_ORIGIN}",
    ".index": f"is part of a TensorFlow checkpoint, which holds no network; {_FROM_ORIGIN}",
    ".meta": f"is part of a TensorFlow checkpoint, which is not read; {_FROM_ORIGIN}",
    ".tflite": _LITERT,
    ".ort": _OF_RUNTIME,
    ".mlmodel": f"is a file of Core ML; {_FROM_ORIGIN}",
    ".mlpackage": f"is a package of Core ML; {_FROM_ORIGIN}",
    ".caffemodel": "is a file of Caffe, which is not read; name an .onnx or Keras file",
    ".prototxt": "is a file of Caffe, which is not read; name an .onnx or Keras file",
    **dict.fromkeys((".engine", ".plan", ".trt"), f"is a file of TensorRT; {_FROM_ORIGIN}"),
    ".dat": "is a file of dlib, which is not read; name an .onnx or Keras file",
    ".xml": "describes a cascade or a network of OpenVINO, which are not read; name an .onnx or "
    "Keras file",
    **dict.fromkeys(
        (".npy", ".npz", ".mat"), "holds arrays, not a network; name an .onnx or Keras file"
    ),
}


def foreign_file(path: Path) -> str:
    """What a file is that no model is, and what to do, as the end of a sentence; empty where that
    is not known.

    Args:
        path: a file that is there.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES).lower()
    for start, words in _STARTS:
        if head.startswith(start):
            return words
    suffix = path.suffix.lower()
    if suffix in _ENDINGS:
        return _ENDINGS[suffix]
    if suffix.startswith(".data-"):
        return _ENDINGS[".index"]
    for place, mark, words in _MARKS:
        if head.startswith(mark, place):
            return words
    if _are_tensors(head):
        return _TENSORS
    return _PYTORCH if head.startswith(b"pk") and _is_pytorch_archive(path) else ""


def foreign_folder(folder: Path) -> str:
    """As `foreign_file`, of a folder that holds no model: by its ending, or by what lies in it.

    Raises:
        OSError: it cannot be read.
    """
    if told := _ENDINGS.get(folder.suffix.lower()):
        return told
    for path in sorted(folder.iterdir())[:_MOST_FILES]:
        if path.is_file() and (told := foreign_file(path)):
            return f"is not the folder of a training: its {path.name} {told}"
    return ""


def _are_tensors(head: bytes) -> bool:
    """Whether a file begins as safetensors do: the length of a description, and that, in JSON."""
    return 2 <= int.from_bytes(head[:8], "little") <= _LONGEST_HEADER and head[8:10] in _OBJECTS


def _is_pytorch_archive(path: Path) -> bool:
    """Whether a file is what ``torch.save`` has written since version 1.6, whatever its name."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except Exception:  # damaged archives raise what they like
        return False
