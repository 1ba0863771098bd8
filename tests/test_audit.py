"""The audit: planted faults are found, and FER-2013's are counted to the row."""

import json

import numpy as np
import pytest
import typer.testing

from mien.cli.audit import audit as command
from mien.data import read_samples
from mien.data.audit import audit
from mien.data.audit_findings import findings, to_json
from mien.data.ferplus import majority_labels
from mien.errors import OutputError
from mien.reports.audit_page import audit_page, write_audit
from samples_factory import (
    class_folders,
    fer_csv,
    png,
    random_faces,
    samples_of,
    zip_of,
)


@pytest.fixture
def planted():
    """Twelve rows with one fault of each kind."""
    images = random_faces(12)
    images[8] = images[0]  # validation like train, other label
    images[2] = images[1]  # train like train, same label
    images[9] = np.clip(images[3].astype(int) + 9, 0, 255)  # validation near train
    images[4] = 77  # constant
    labels = [0, 1, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4]
    return samples_of(images, labels, ["train"] * 8 + ["validation"] * 4)


def test_planted_faults_are_found(planted):
    report = audit(planted)
    assert [group.tolist() for group in report.duplicate_groups] == [[0, 8], [1, 2]]
    assert report.duplicate_rows == 4
    assert [group.tolist() for group in report.groups_across] == [[0, 8]]
    assert [group.tolist() for group in report.conflicting] == [[0, 8]]
    assert report.seen.tolist() == [8]
    assert [(pair.first, pair.second) for pair in report.near_pairs] == [(3, 9)]
    assert report.near_across == report.near_pairs
    assert report.near_seen.tolist() == [9]
    assert report.constant.tolist() == [4]
    assert report.tiny.tolist() == []
    assert report.damaged == ()
    assert report.ferplus is None


def test_near_pair_of_groups_is_shown_across_splits():
    images = random_faces(30)
    images[1] = np.clip(images[0].astype(int) + 9, 0, 255)  # train near train
    images[20] = images[1]  # and its exact duplicate for validation
    report = audit(samples_of(images, [0] * 30, ["train"] * 20 + ["validation"] * 10))
    assert [(pair.first, pair.second) for pair in report.near_pairs] == [(0, 20)]
    assert report.seen.tolist() == [20]
    assert report.near_seen.tolist() == []  # counted once, as an exact duplicate


def test_comparison_with_ferplus(planted):
    votes = np.zeros((12, 10), dtype=np.int64)
    votes[:, 0] = 10  # neutral
    votes[5] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 10]
    votes[6] = [5, 5, 0, 0, 0, 0, 0, 0, 0, 0]
    samples = samples_of(planted.images, planted.labels, planted.splits, votes=votes)
    found = audit(samples).ferplus
    assert found is not None
    assert found.not_a_face.tolist() == [5]
    assert found.undecided == 2
    assert found.disagreeing.sum() == 9  # of ten decided rows, one is neutral
    assert found.disagreement == pytest.approx(0.9)
    assert len(findings(audit(samples))) == len(findings(audit(planted))) + 2


def test_damaged_and_tiny_pictures_are_listed(tmp_path):
    faces = random_faces(3)
    members = {
        "train/happy/a.png": png(faces[0]),
        "train/happy/b.png": png(faces[1])[:80],
        "train/happy/c.png": b"",
        "test/sad/d.png": png(faces[2][:20, :20]),
    }
    report = audit(read_samples(zip_of(tmp_path / "a.zip", members)))
    names = report.samples.names
    assert [names[row] for row, _ in report.damaged] == ["train/happy/b.png", "train/happy/c.png"]
    assert "train/happy/c.png is empty" in report.damaged[1][1]
    assert [names[row] for row in report.tiny] == ["test/sad/d.png"]
    assert report.duplicate_groups == ()
    page = audit_page(report)
    assert "Damaged pictures" in page and "b.png" in page
    json.dumps(to_json(report))


def test_progress_is_told(planted):
    told = []
    audit(planted, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (12, 12)


def test_json_counts_and_names(planted):
    found = json.loads(json.dumps(to_json(audit(planted))))
    assert found["rows"] == 12
    assert found["seen_rows"] == 1
    assert found["seen_rows_by_split"] == {"validation": 1}
    assert found["counts"]["train"] == [1, 2, 1, 1, 1, 1, 1]
    assert found["lists"]["conflicting_groups"] == [["row 2", "row 10"]]
    assert found["lists"]["seen"] == ["row 10"]
    assert found["lists"]["near_pairs"][0]["names"] == ["row 5", "row 11"]
    assert found["lists"]["near_pairs"][0]["splits"] == ["train", "validation"]
    assert found["lists"]["constant"] == ["row 6"]
    assert found["sizes_px"] == {"smallest": [48, 48], "largest": [48, 48]}
    assert found["ferplus"] is None


def test_page_shows_the_pictures_and_escapes_names(planted):
    page = audit_page(audit(planted))
    assert page.count("<img") == 4  # conflict, near pair, duplicates across, constant
    assert "angry · train row 2\ndisgust · validation row 10" in page
    odd = samples_of(planted.images, planted.labels, planted.splits)
    object.__setattr__(odd, "source", "<script>alert(1)</script>")
    assert "<script>" not in audit_page(audit(odd))


def test_files_are_written_and_replaced_but_nothing_else(planted, tmp_path):
    report = audit(planted)
    for _ in range(2):
        write_audit(tmp_path / "audit", report)
    assert sorted(p.name for p in (tmp_path / "audit").iterdir()) == ["audit.html", "audit.json"]
    (tmp_path / "audit/notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="notes"):
        write_audit(tmp_path / "audit", report)
    assert (tmp_path / "audit/notes.txt").read_text() == "mine"


def run(*arguments):
    app = typer.Typer()
    app.command()(command)
    return typer.testing.CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_command(tmp_path):
    images = random_faces(4)
    images[3] = images[0]
    usages = ("Training", "Training", "Training", "PublicTest")
    (tmp_path / "fer2013.csv").write_bytes(fer_csv(images, (0, 1, 2, 0), usages))
    result = run("--data", tmp_path / "fer2013.csv", "--out", tmp_path / "audit")
    assert result.exit_code == 0, result.output
    assert "rows seen in training" in result.stdout
    assert "audit.html" in result.stderr and "audit.html" not in result.stdout
    assert json.loads((tmp_path / "audit/audit.json").read_text())["seen_rows"] == 1


def test_command_on_folders_without_a_test_part(tmp_path):
    class_folders(tmp_path / "set", ["happy", "sad"])
    result = run("--data", tmp_path / "set", "--out", tmp_path / "audit")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "audit/audit.json").read_text())
    assert found["counts"] == {"train": [0, 0, 0, 2, 2, 0, 0]}
    assert found["seen_rows"] == 0


def test_fer2013_to_the_row(fer2013):
    images, rows = fer2013
    columns = list(rows[0])[-10:]
    samples = samples_of(
        images,
        [int(row["emotion"]) for row in rows],
        ["train" if row["Usage"] == "Training" else "validation" for row in rows],
        votes=np.array([[int(row[name]) for name in columns] for row in rows]),
    )
    report = audit(samples)
    assert len(samples) == 32_298
    assert len(report.duplicate_groups) == 1271
    assert report.duplicate_rows == 2801
    assert len(report.seen) == 280
    assert len(report.conflicting) == 47
    assert len(report.constant) == 12
    assert report.ferplus is not None and samples.votes is not None
    assert report.ferplus.undecided == int((majority_labels(samples.votes) < 0).sum())
    assert len(report.ferplus.not_a_face) == 161
    assert len(report.near_across) > 300
    assert len(report.near_seen) > 150
