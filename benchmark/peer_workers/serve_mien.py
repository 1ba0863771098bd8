"""mien, as `peers.py` asks it: ``serve_mien.py ANSWERS MODEL DETECTOR``."""

import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

from answering import Peer, folder_bytes, serve


def main() -> None:
    """Load the model and the detector, and answer."""
    answers, model, detector = int(sys.argv[1]), sys.argv[2], sys.argv[3]

    def load() -> Peer:
        import onnxruntime

        import mien
        from mien.recognition.recognizer import Recognizer

        recognizer = Recognizer(model, detector, offline=True)
        package = Path(str(mien.__file__)).parent
        return Peer(
            labels=recognizer.classifier.card.labels,
            classify=recognizer.classifier.probabilities,
            recognize=lambda picture: [
                face.expression.label.key for face in recognizer.recognize(picture).faces
            ],
            requires=_requires(package),
            own_bytes=folder_bytes(package),
            runs_on=f"ONNX Runtime {onnxruntime.__version__}",
        )

    serve(load, answers)


def _requires(package: Path) -> list[str]:
    """What mien needs to run; from the checkout, whose installed metadata may be of another day."""
    project = package.parent.parent / "pyproject.toml"
    if project.is_file():
        needs = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    else:
        needs = [need for need in importlib.metadata.requires("mien") or () if "extra" not in need]
    return [re.split(r"[<>=!~;\[ ]", need)[0] for need in needs]


if __name__ == "__main__":
    main()
