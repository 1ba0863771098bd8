"""The benchmark against peers: its protocol, its checks and its table, with a made-up peer; with
the real ones where environment variables name them."""

import hashlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import peers
from mien.errors import MienError
from mien.samples import Split
from peer_processes import (
    WORKERS,
    PeerError,
    PeerProcess,
    PeerProgram,
    fer_programs,
    mien_program,
    node_programs,
)
from peer_table import figure_png, markdown
from samples_factory import fer_csv

FER_PYTHON, NODE_MODULES = "MIEN_TEST_FER_PYTHON", "MIEN_TEST_NODE_MODULES"
PHOTO = Path(__file__).resolve().parent.parent / "docs" / "images" / "astronaut.jpg"
ARGUMENTS = SimpleNamespace(starts=2, rounds=2, faces=3)

MADE_UP = """
import os, sys
sys.path.insert(0, {workers!r})
import numpy as np
from answering import Peer, serve

def classify(tiles):
    print("a word of the library")
    if tiles[0, 0, 0] == 255:
        raise RuntimeError("a bright face")
    shades = np.clip(tiles.mean(axis=(1, 2)) // 28, 0, 6).astype(int)
    return 0.9 * np.eye(7)[shades] + 0.1 / 7

names = ("angry", "disgusted", "fearful", "happy", "sad", "surprised", "neutral")
serve(lambda: Peer(names, classify, lambda p: ["happy"], ["numpy", "no-such-thing"], 10, "shades"),
      int(sys.argv[1]))
"""


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """70 faces to measure, whose shade tells the class; 14 labels are wrong."""
    random = np.random.default_rng(0)
    true = np.arange(140) % 7
    images = random.integers(2, 26, (140, 48, 48)) + 28 * true[:, None, None]
    labels = np.where(np.arange(140) % 5 == 0, (true + 1) % 7, true)
    usages = ["Training"] * 70 + ["PublicTest"] * 70
    path = tmp_path / "fer2013.csv"
    path.write_bytes(fer_csv(images.astype(np.uint8), labels.tolist(), usages))
    return path


@pytest.fixture
def made_up(tmp_path: Path) -> PeerProgram:
    script = tmp_path / "made_up.py"
    script.write_text(MADE_UP.format(workers=str(WORKERS)), encoding="utf-8")
    sha256 = hashlib.sha256(script.read_bytes()).hexdigest()
    command = (sys.executable, str(script), "{}")
    return PeerProgram("made up", command, (script,), "none", {script: sha256}, batch=16)


def faces_of(csv: Path, folder: Path) -> peers.Faces:
    folder.mkdir(exist_ok=True)
    return peers.Faces(peers.read_samples(str(csv)), Split.VALIDATION, PHOTO, folder)


def test_peers_stand_side_by_side_in_one_table(csv: Path, made_up: PeerProgram, tmp_path: Path):
    programs = [mien_program("mien-tiny", "haar"), made_up]
    ours, theirs = peers.measure(programs, faces_of(csv, tmp_path / "files"), ARGUMENTS)
    assert theirs.accuracy == pytest.approx(56 / 70)
    assert theirs.ece == pytest.approx(0.9 + 0.1 / 7 - 0.8, abs=1e-5)
    assert theirs.accuracy_ci95[0] < theirs.accuracy < theirs.accuracy_ci95[1]
    assert theirs.photo_shows == ("happy",) and theirs.missing == ("no-such-thing",)
    assert ours.photo_shows == ("happy",) and not ours.missing
    for row in (ours, theirs):
        assert row.face_ms > 0 and row.face_cpu_ms >= 0 and row.photo_ms > 0
        assert row.first_answer_s > 0.02 and row.peak_bytes > 10e6
        assert row.installed_bytes > 10e6
    assert ours.network_bytes == 1_290_000 or 1.2e6 < ours.network_bytes < 1.4e6
    table = markdown([ours, theirs]).splitlines()
    assert table[0].count("|") == table[2].count("|") == table[3].count("|")
    assert table[3].startswith("| made up | 80.0 (") and "| over " in table[3]
    assert "made up declares more than is installed here: no-such-thing" in "\n".join(table)
    pytest.importorskip("matplotlib", reason="needs the train extra")
    assert figure_png([ours, theirs]).startswith(b"\x89PNG")


def test_another_file_than_the_measured_one_is_refused(made_up: PeerProgram):
    (path,) = made_up.network
    path.write_text(path.read_text() + "#\n")
    with pytest.raises(PeerError, match=r"another file.*SHA-256"):
        PeerProcess(made_up)
    path.unlink()
    with pytest.raises(PeerError, match="says what to install"):
        PeerProcess(made_up)


def test_a_peer_that_fails_says_why(made_up: PeerProgram, tmp_path: Path):
    np.full((2, 4, 4), 255, np.uint8).tofile(tmp_path / "bright")
    asked = {"do": "faces", "file": str(tmp_path / "bright"), "n": 2, "side": 4, "batch": 2}
    with PeerProcess(made_up) as process:
        with pytest.raises(PeerError, match="made up failed: RuntimeError: a bright face"):
            process.ask(out=str(tmp_path / "out"), **asked)
        with pytest.raises(PeerError, match="made up failed"):
            process.ask(do="facts")


def test_peers_that_are_not_there(tmp_path: Path):
    with pytest.raises(PeerError, match="does not run"):
        fer_programs(tmp_path / "python")
    for program in node_programs("node", tmp_path):
        with pytest.raises(PeerError, match="says what to install"):
            program.check()
    with pytest.raises(MienError, match="no model is called"):
        mien_program("missing", "haar")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        (FER_PYTHON, {"fer 25.10.3, Keras": 65.5}),
        (NODE_MODULES, {"face-api 1.7.15": 58.3}),
    ],
)
def test_known_accuracies_come_out_again(
    fer2013: tuple[np.ndarray, list[dict[str, str]]],
    tmp_path: Path,
    variable: str,
    expected: dict[str, float],
):
    if not os.environ.get(variable):
        pytest.skip(f"no peers; name where they are by the environment variable {variable}")
    images, rows = fer2013
    labels, usages = [int(row["emotion"]) for row in rows], [row["Usage"] for row in rows]
    (tmp_path / "fer2013.csv").write_bytes(fer_csv(images, labels, usages))
    faces = faces_of(tmp_path / "fer2013.csv", tmp_path / "files")
    path = Path(os.environ[variable])
    programs = fer_programs(path) if variable == FER_PYTHON else node_programs("node", path)
    for program in programs:
        if program.name not in expected:
            continue
        process, _, _ = peers.start(program, faces)
        with process:
            labels_of = peers.labels_of(process.ask(do="facts")["labels"])
            process.ask(**faces.question("all", faces.n, program.batch))
        found = peers.measured(faces, faces.answers(len(labels_of)), labels_of)
        assert 100 * found.accuracy == pytest.approx(expected[program.name], abs=0.2)
