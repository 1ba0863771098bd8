"""mien, as `peers.py` asks it: ``serve_mien.py ANSWERS MODEL DETECTOR``."""

import sys
from importlib.metadata import requires
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
        needs = [name.split(";")[0] for name in requires("mien") or () if "extra" not in name]
        return Peer(
            labels=recognizer.classifier.card.labels,
            classify=recognizer.classifier.probabilities,
            recognize=lambda picture: [
                face.expression.label.key for face in recognizer.recognize(picture).faces
            ],
            requires=[_bare(name) for name in needs],
            own_bytes=folder_bytes(package),
            runs_on=f"ONNX Runtime {onnxruntime.__version__}",
        )

    serve(load, answers)


def _bare(requirement: str) -> str:
    for sign in "<>=!~[ ":
        requirement = requirement.split(sign)[0]
    return requirement


if __name__ == "__main__":
    main()
