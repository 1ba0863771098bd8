"""Fixtures for all tests."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import real_data
from jax_process import Run, jax_process
from samples_factory import unpack_tool

if "PYTEST_XDIST_WORKER" in os.environ:
    # One core for each process of the tests: two that both want all cores wait for each other.
    for _name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(_name, "1")


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder with real data and media; skips where it is absent."""
    folder = real_data.folder()
    if folder is None:
        pytest.skip(real_data.reason())
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test out of the user's cache, and out of other tests'."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("MIEN_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def fer2013(shared_folder: Path) -> tuple[np.ndarray, list[dict[str, str]]]:
    """FER-2013's Training and PublicTest: uint8 (n, 48, 48) and the rows with the votes."""
    images, rows = unpack_tool(shared_folder).read(shared_folder / "data/fer2013", None)
    return images, rows


@pytest.fixture(scope="module", autouse=True)
def no_networks_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Free what networks and their graphs hold, gigabytes after some modules."""
    yield
    if keras := getattr(request.module, "keras", None):
        keras.backend.clear_session()
        gc.collect()


@pytest.fixture(scope="module")
def on_jax() -> Iterator[Run]:
    """Runs functions in a process with Keras on JAX; see `jax_process`."""
    pytest.importorskip("jax", reason="needs JAX")
    with jax_process() as run:
        yield run


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings end without an ONNX bundle, for tests of everything else."""
    monkeypatch.setattr("mien.training.run.can_export", lambda: False)


_SLOW_CASES = {
    f"{test}[{case}]"
    for test, cases in {
        "test_trains_and_answers_alike_on_jax": ("efficientnet_b2", "resnet50", "wide_cnn"),
        "test_onnx_parity_and_size": ("efficientnet_b2", "resnet50", "wide_cnn"),
        "test_a_pipeline_runs_by_one_command": ("plain_cnn-jax", "batchnorm_cnn-tensorflow"),
        "test_the_card_tells_the_truth": ("mien-large", "mien-small"),
        "test_a_resumed_student_ends_with_the_same_weights": ("2",),
        "test_broken_off_in_phase_two_it_resumes_there": ("4-0",),
    }.items()
    for case in cases
}
"""Cases of tests that are quick but for these: large networks, second ways to the same place."""
_LARGE = ("test_all_recipes", "test_application_networks", "test_pipelines", "test_zoo")
"""Modules whose slow tests take up to 20 GB."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave slow cases to `make test-all`, and those that take gigabytes to one process of it."""
    for item in items:
        if item.name in _SLOW_CASES:
            item.add_marker(pytest.mark.slow)
        if item.path.stem in _LARGE and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.xdist_group("gigabytes"))
