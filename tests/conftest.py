"""Fixtures for all tests."""

from pathlib import Path

import numpy as np
import pytest

from samples_factory import unpack_tool

_SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder with real data and media beside the repository; skips where it is absent."""
    if not _SHARED.is_dir():
        pytest.skip("no ../shared folder with the real data sets beside the repository")
    return _SHARED


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
