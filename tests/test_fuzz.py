"""Damaged files of every kind: success or one clear line; see benchmark/fuzz.py."""

from pathlib import Path

import pytest

import fuzz
from fuzz import KINDS, Child, _fault_of, make_seeds, mutate, run


def test_five_hundred_damaged_files() -> None:
    assert run(500, seed=20, tell=lambda fault: None) == []


def test_the_same_seed_makes_the_same_files() -> None:
    seeds = make_seeds(("data", "json"))
    assert seeds == make_seeds(("data", "json"))
    damaged = [mutate(seeds, number, 7).content for number in range(120)]
    assert damaged == [mutate(seeds, number, 7).content for number in range(120)]
    assert damaged != [mutate(seeds, number, 8).content for number in range(120)]
    whole = {seed.content for seed in seeds}
    assert sum(content in whole for content in damaged) < 12


def test_errors_of_other_kinds_and_long_messages_are_seen(tmp_path) -> None:
    from mien.errors import ImageError

    class Long(ImageError):
        def __str__(self) -> str:
            return "x" * 300

    def raising(error):
        def read(path):
            raise error

        return read

    assert _fault_of(raising(ImageError("a.png is damaged; get another")), tmp_path) == ""
    assert _fault_of(raising(KeyError("a")), tmp_path).startswith("KeyError at ")
    assert _fault_of(raising(Long()), tmp_path).startswith("message of 300 characters")
    assert _fault_of(raising(SystemExit(3)), tmp_path).startswith("SystemExit")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("import os; os.abort()", "crash"),
        ("import time; time.sleep(60)", "no answer after 1 s"),
        ("import os; os.write(1, b'EP Error')", "printed b'EP Error'"),
        ("pass", ""),
    ],
)
def test_crashes_hangs_and_noise_are_seen(tmp_path, monkeypatch, body: str, fault: str) -> None:
    script = tmp_path / "fuzz.py"
    source = Path(fuzz.__file__).read_text(encoding="utf-8")
    patched = source.replace(
        "def _read_json(path: Path) -> None:\n",
        f"def _read_json(path: Path) -> None:\n    {body}\n    return\n",
    )
    assert patched != source
    script.write_text(patched, encoding="utf-8")
    monkeypatch.setattr(fuzz, "__file__", str(script))
    monkeypatch.setattr(fuzz, "HANG_S", 1.0)
    child = Child(tmp_path, ("json",))
    (tmp_path / "a.json").write_text("{}")
    try:
        told = child.read("json", tmp_path / "a.json")
        assert told.startswith(fault) and bool(told) == bool(fault)
    finally:
        child.stop()


def test_every_kind_has_seeds() -> None:
    kinds = tuple(kind for kind in KINDS if kind != "keras")
    assert {seed.kind for seed in make_seeds(kinds)} == set(kinds)


@pytest.mark.parametrize(
    "error", [OSError("bad heap pointer"), KeyError("past end"), SystemError()]
)
def test_whatever_h5py_raises_at_attributes_is_damage(tmp_path, monkeypatch, error) -> None:
    import h5py

    from mien.errors import ModelError
    from mien.formats.keras_files import read_card_text

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["model_config"] = "{}"

    def fail(self, name, default=None):
        raise error

    monkeypatch.setattr(h5py.AttributeManager, "get", fail)
    with pytest.raises(ModelError, match=r"a\.h5 is damaged: its HDF5 structure is broken"):
        read_card_text(tmp_path / "a.h5")
