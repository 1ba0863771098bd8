"""What computes a network: what is installed is used, and what is not is said."""

import numpy as np
import onnxruntime
import pytest

from command_line import mien
from mien.cli.recognition_options import ProviderName
from mien.errors import MissingExtraError, ModelError
from mien.model import sessions
from mien.model.names import resolve_model
from mien.model.sessions import EXECUTION_PROVIDERS, check_provider
from mien.recognition.classifier import Classifier
from mien.recognition.recognizer import Recognizer
from mien.workflows.models import fetch_model
from video_factory import make_clip

YUNET_FILE = "face_detection_yunet_2023mar.onnx"

MODEL = resolve_model("mien-tiny")
AZURE = "AzureExecutionProvider"


def pretend(monkeypatch, *names):
    """As if the installed ONNX Runtime had other providers."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*names])


def test_the_command_line_knows_all_of_them():
    assert tuple(name.value for name in ProviderName) == EXECUTION_PROVIDERS
    assert set(sessions._NAMES) == set(EXECUTION_PROVIDERS)


def test_the_processor_is_always_there():
    check_provider("cpu")
    assert Classifier(MODEL).provider == "cpu"


def test_what_is_not_installed_is_said_with_what_to_install(monkeypatch):
    pretend(monkeypatch, AZURE, "CPUExecutionProvider")
    with pytest.raises(MissingExtraError, match=r"cuda, only with: cpu; install onnxruntime-gpu"):
        Classifier(MODEL, provider="cuda")
    with pytest.raises(MissingExtraError, match="comes with ONNX Runtime on the systems"):
        check_provider("coreml")


def test_a_name_that_there_is_not():
    with pytest.raises(ValueError, match=r"execution provider of cpu, cuda, .* got 'azure'"):
        check_provider("azure")


def test_a_provider_that_does_not_start_is_no_silent_fallback(monkeypatch):
    """ONNX Runtime computes on the processor then; mien refuses."""
    pretend(monkeypatch, "CUDAExecutionProvider", "CPUExecutionProvider")
    with pytest.raises(ModelError, match="does not run with the execution provider cuda") as caught:
        Classifier(MODEL, provider="cuda")
    assert len(str(caught.value)) < 300


class Recorder:
    """Stands for a session of another provider: remembers how it was opened."""

    def __init__(self, opened):
        self.opened = opened

    def __call__(self, content, options, providers, **more):
        self.opened.append(providers)
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
        first = providers[0]
        name = first if isinstance(first, str) else first[0]
        session.get_providers = lambda: [name, "CPUExecutionProvider"]
        return session


def test_detector_and_model_are_computed_by_the_same(monkeypatch, shared_folder, own_cache):
    pretend(monkeypatch, "CUDAExecutionProvider", "CPUExecutionProvider")
    opened = []
    monkeypatch.setattr(sessions, "Session", Recorder(opened))
    classifier = Classifier(MODEL, provider="cuda")
    fetch_model("yunet", from_file=shared_folder / "models" / YUNET_FILE)
    recognizer = Recognizer(classifier, "yunet", offline=True)
    assert recognizer.classifier is classifier
    assert len(opened) == 2
    for providers in opened:
        (name, options), after = providers
        assert (name, after) == ("CUDAExecutionProvider", "CPUExecutionProvider")
        assert options["use_tf32"] == "0"
    assert not recognizer.recognize(np.full((64, 64, 3), 90, np.uint8)).faces


def test_a_provider_that_computes_otherwise_is_refused(monkeypatch):
    pretend(monkeypatch, "OpenVINOExecutionProvider", "CPUExecutionProvider")
    recorder = Recorder([])

    def opened(*arguments, **options):
        session = recorder(*arguments, **options)
        run = session.run
        session.run = lambda *inputs: [
            10.0 * np.roll(values, 1, axis=-1) for values in run(*inputs)
        ]
        return session

    monkeypatch.setattr(sessions, "Session", opened)
    with pytest.raises(ModelError, match="computed by openvino, differs from what its card"):
        Classifier(MODEL, provider="openvino")


@pytest.mark.parametrize("command", ["recognize", "live"])
def test_the_commands_say_it_in_one_line(command, tmp_path):
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has CUDA")
    make_clip(tmp_path / "a.mp4", 2)
    done = mien(command, "a.mp4", "--execution-provider", "cuda", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") <= 2 and "onnxruntime-gpu" in done.stderr
    done = mien(command, "a.mp4", "--execution-provider", "abacus", cwd=tmp_path)
    assert done.returncode == 2 and "'abacus' is not one of 'cpu', 'cuda'" in done.stderr
