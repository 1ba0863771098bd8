"""`mien card`: every shipped model's card, evidence in files and in cards, and bad input."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from command_line import assert_fails_on_one_line, mien
from mien.errors import ModelError, OutputError
from mien.labels import FER2013
from mien.model import store
from mien.model.card import ModelCard
from mien.model.evidence import (
    Evidence,
    evidence_in,
    evidence_of,
    read_evidence_file,
    write_evidence_text,
)
from mien.model.known import known_of
from mien.reports.card_evidence import evidence_of_report
from mien.reports.card_page import ModelFacts, card_sections
from mien.reports.document import Section, Table, Text, to_markdown
from mien.reports.uses import ARTICLES
from mien.workflows.cards import card
from samples_factory import fer_csv
from test_model_card import CARD, SCORE

SHIPPED = [file.name for file in store.MODEL_FILES.values() if file.packaged]
SECTIONS = [
    *("Model details", "Intended use", "Factors", "Metrics", "Evaluation data"),
    *("Training data", "Quantitative analyses", "Ethical considerations"),
    "Caveats and recommendations",
]
GROUPS = Evidence(
    "groups",
    "Accuracy by age",
    "Old faces are read worse.",
    ("age", "faces", "accuracy"),
    (("young", "412", "74 %"), ("old", "160", "66 %")),
    "mien evaluate m.onnx --data photos/",
    "ab" * 32,
    "abc",
)
FACTS = ModelFacts("m.onnx", 1_000_000, "cd" * 32)


def read_evidence(path: Path) -> tuple[Evidence, ...]:
    return evidence_in(read_evidence_file(path), path)


def words(sections: list[Section]) -> str:
    return to_markdown("card", "", sections).replace("\\", "")


def section(sections: list[Section], title: str) -> Section:
    (found,) = [each for each in sections if each.title == title]
    return found


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_model_has_a_card_with_all_sections(name: str):
    found = card(name)
    assert [each.title for each in found.sections] == SECTIONS
    text = words(found.sections)
    assert found.facts.sha256 in text
    for article, date, _ in ARTICLES:
        assert article in text and date in text
    assert {"confusions"} <= {each.kind for each in found.facts.evidence}
    # What damage costs was measured with the default model alone.
    nothing = "not measured: blur, noise, darkness, turned or covered faces"
    assert (nothing in text) == (name != "mien-small-int8")
    assert "`" not in "".join(
        b.text for s in found.sections for b in s.blocks if isinstance(b, Text)
    )


def test_the_shipped_files_are_as_they_were():
    for name in SHIPPED:
        path = store.find(name)
        assert path is not None
        found = card(name)
        assert known_of(found.facts.sha256), (
            f"{name} is another file than the one that was measured"
        )
        assert "evidence" not in json.loads(found.card.to_json())


def test_stress_on_the_default_card_is_that_of_the_documentation():
    page = (Path(__file__).parent.parent / "docs" / "stress.md").read_text(encoding="utf-8")
    told = [
        line.strip("| ").split(" | ") for line in page.split("## The default model")[1].splitlines()
    ]
    told = [line for line in told if len(line) == 9 and line[0] not in ("damage", "---")]
    (known,) = [e for e in card("default").facts.evidence if e.kind == "disturbed pictures"]
    assert len(told) == len(known.rows) == 12
    for line, row in zip(told, known.rows, strict=True):
        assert row == (line[0], f"{line[6]} %", line[7], line[8])
        assert line[0] in known.title
    assert "70.1 % unharmed (68.6 to 71.5), 58.6 % on average" in page
    assert "70.1 % unharmed, 58.6 %" in known.text


def test_a_card_claims_no_more_than_its_evidence():
    text = words(card("mien-tiny").sections)
    factors = words([section(card("mien-tiny").sections, "Factors")])
    assert "Posed faces of another laboratory" in factors and "Other cameras" not in factors
    assert "age, sex, skin colour, glasses" not in factors and "without labels" in factors
    assert "one of the models with seven classes that were shipped at commit" in factors
    # Whose figures these are is said in one way.
    assert text.count("which one was not noted") == 2
    assert "Each was measured only as far as it is named here" in factors


def report_of_groups(n_of: int, together: bool = True) -> dict[str, object]:
    scores = {"accuracy": {"value": 0.7, "ci95": [0.6, 0.8]}}
    scores["macro recall"] = {"value": 0.6, "ci95": [0.5, 0.7]}
    group = {"n": n_of // 2, "too_small": n_of // 2 < 30, "scores": scores if n_of >= 60 else {}}
    ends = {"low": "side", "high": "front", "worst": "side", "lows": ["side"], "highs": ["front"]}
    gap = {
        "measure": "accuracy",
        "low_value": 0.604,
        "high_value": 0.7449,
        "gap": 0.1409,
        "found": True,
    }
    recall = {"measure": "macro recall", "low": "a", "high": "b", "gap": 0.01, "found": False}
    column = {
        "column": "camera",
        "recall_classes": ["happy", "sad"],
        "groups": [group | {"group": "side"}, group | {"group": "front"}],
        "gaps": [gap | ends | {"of_expressions": 0.139}, recall],
    }
    if together:
        column["together"] = group | {"group": "all compared", "n": n_of}
    everyone = {"group": "all faces", "n": 3589, "too_small": False, "scores": scores}
    by = {"labels": list(FER2013.keys), "all": everyone, "by": [column]}
    origin = {"model_sha256": "cd" * 32, "command": "mien evaluate m --data f.csv"}
    return {"groups": by, "n": 3589, "split": "validation", "source": "f.csv"} | origin


def test_evidence_of_groups_covers_the_faces_of_the_groups_alone():
    (found,) = evidence_of_report(report_of_groups(600), "cd" * 32, "metrics.json")
    assert found.title == "By camera, 600 of the 3,589 faces of f.csv validation"
    assert found.header == ("camera", "faces", "accuracy", "macro recall (happy, sad)")
    assert found.rows[-1] == (
        "all compared",
        "600",
        "70.0 % (60.0 to 80.0)",
        "60.0 % (50.0 to 70.0)",
    )
    assert (
        "Accuracy, side to front, by 14.1 points. Other expressions alone would make 13.9"
        in found.text
    )
    assert "no gap in macro recall was found" in found.text
    # Older reports lack the row of the compared groups: that of all faces is of other faces.
    (old,) = evidence_of_report(report_of_groups(600, together=False), "cd" * 32, "metrics.json")
    assert [row[0] for row in old.rows] == ["side", "front"]
    # Groups that are too small were counted, not measured.
    with pytest.raises(ModelError, match="says nothing of groups"):
        evidence_of_report(report_of_groups(40), "cd" * 32, "metrics.json")


def test_known_confusions_are_those_of_the_model(
    fer2013: tuple[object, list[dict[str, str]]], shared_folder: Path
):
    from mien.model.names import resolve_model
    from mien.recognition.classifier import Classifier

    images, rows = fer2013
    public = [index for index, row in enumerate(rows) if row["Usage"] == "PublicTest"]
    labels = np.array([int(rows[index]["emotion"]) for index in public])
    classifier = Classifier(resolve_model("mien-small-int8"))
    shown = classifier.probabilities(images[public]).argmax(axis=1)  # type: ignore[index]
    (known,) = [each for each in card("default").facts.evidence if each.kind == "confusions"]
    assert len(known.rows) == 7
    for index, (key, faces, found, taken) in enumerate(known.rows):
        assert key == FER2013[index].key
        of_class = shown[labels == index]
        assert int(faces) == len(of_class)
        # A kernel that rounds otherwise may turn a face or two of the 56 of disgust.
        assert 100 * (of_class == index).mean() == pytest.approx(int(found.split()[0]), abs=2.5)
        for other, label in enumerate(FER2013):
            share = 100 * (of_class == other).mean()
            if other != index and share > 12.5:
                assert f"{label.key} " in taken


def test_a_card_without_anything_says_so():
    sections = card_sections(replace(CARD, scores=()), FACTS)
    text = words(sections)
    assert "Nothing was measured" in text
    assert "Which faces chose the epoch" not in text or "not known" in text
    assert text.count("not measured") == 5
    assert "Nobody has measured" in text
    assert "No score is of faces on which nothing was chosen." in text
    assert [each.title for each in sections] == SECTIONS


def test_a_score_on_a_test_split_takes_the_caveat_away():
    tested = replace(SCORE, split="faces.csv test")
    caveats = section(card_sections(replace(CARD, scores=(tested,)), FACTS), SECTIONS[-1])
    assert not any("nothing was chosen" in b.text for b in caveats.blocks if isinstance(b, Text))


def test_evidence_is_shown_where_it_belongs():
    fault = Evidence("fault", "Beards", "Bearded men are taken for sad.")
    use = Evidence("use", "Exhibit", "A mirror in a museum.")
    facts = replace(FACTS, evidence=(GROUPS, fault, use))
    sections = card_sections(CARD, facts)
    factors = section(sections, "Factors").blocks[0]
    assert isinstance(factors, Table)
    assert ("groups of people", "Accuracy by age") in factors.rows
    tables = [b for b in section(sections, "Quantitative analyses").blocks if isinstance(b, Table)]
    assert tables[-1].rows == GROUPS.rows
    assert "Bearded men" in words([section(sections, "Caveats and recommendations")])
    assert "A mirror in a museum." in words([section(sections, "Intended use")])


def test_evidence_comes_back_from_its_file_and_from_a_card(tmp_path: Path):
    path = tmp_path / "e.json"
    path.write_text(write_evidence_text((GROUPS, GROUPS)), encoding="utf-8")
    assert read_evidence(path) == (GROUPS, GROUPS)
    path.write_text(json.dumps(GROUPS.as_dict()), encoding="utf-8")
    assert read_evidence(path) == (GROUPS,)
    carried = replace(CARD, evidence=(GROUPS,))
    assert ModelCard.from_json(carried.to_json()) == carried


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1]", "expected an object"),
        ('{"kind": "groups", "title": "a"}', "no field 'text'"),
        ('{"kind": "groups", "title": "a", "text": "b", "x": 1}', "unknown field 'x'"),
        ('{"kind": "else", "title": "a", "text": "b"}', "kind must be one of"),
        ('{"kind": ["a"], "title": "a", "text": "b"}', "kind must be one of"),
        ('{"kind": "groups", "title": "a", "text": 3}', "must be texts"),
        ('{"kind": "groups", "title": " ", "text": "b"}', "must not be empty"),
        ('{"kind": "groups", "title": "a", "text": "b", "rows": [["x"]]}', "rows of 0 cells"),
        ('{"kind": "groups", "title": "a", "text": "b", "rows": 3}', "must be lists"),
        ('{"kind": "groups", "title": "a", "text": "b", "rows": [3]}', "must be a list"),
        ('{"kind": "gro', "evidence file"),
        ("[" * 5000, "evidence file"),
        ("\udcff", "evidence file"),
    ],
)
def test_a_bad_evidence_file_is_one_line(tmp_path: Path, content: str, said: str):
    path = tmp_path / "e.json"
    path.write_bytes(content.encode("utf-8", errors="surrogateescape"))
    done = mien("card", "mien-tiny", "--evidence", path, cwd=tmp_path)
    assert_fails_on_one_line(done, "e.json", said)


def test_sizes_of_evidence_are_bounded(tmp_path: Path):
    path = tmp_path / "e.json"
    path.write_bytes(b" " * (8 << 20) + b"[]")
    with pytest.raises(ModelError, match="larger than 8 MB"):
        read_evidence(path)
    with pytest.raises(ModelError, match="cannot read"):
        read_evidence(tmp_path)
    with pytest.raises(ValueError, match="too large for a card"):
        evidence_of(GROUPS.as_dict() | {"rows": [["a", "b", "c"]] * 4000})


def test_a_copy_carries_the_evidence(tmp_path: Path):
    pytest.importorskip("onnx", reason="needs the train extra")
    (tmp_path / "e.json").write_text(write_evidence_text((GROUPS,)), encoding="utf-8")
    done = mien(
        *("card", "mien-tiny", "--evidence", "e.json", "--into", "copy.onnx", "--json"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "written: copy.onnx" in done.stderr
    carried = card(tmp_path / "copy.onnx")
    assert carried.card.evidence == (GROUPS,)
    # Its bytes are not those that were measured.
    assert carried.facts.evidence == (GROUPS,)
    twice = card(tmp_path / "copy.onnx", evidence=[tmp_path / "e.json"])
    assert twice.facts.evidence == (GROUPS,)
    again = card(tmp_path / "copy.onnx", evidence=[], into=tmp_path / "again.onnx")
    assert again.card.evidence == (GROUPS,)
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "copy.onnx").read_bytes()


def test_reports_of_this_very_file_are_evidence(tmp_path: Path):
    pytest.importorskip("matplotlib", reason="needs the train extra")
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (140, 48, 48)).astype(np.uint8)
    labels, usages = [row % 7 for row in range(140)], ["PublicTest"] * 140
    (tmp_path / "faces.csv").write_bytes(fer_csv(images, labels, usages))
    lines = [f"{row + 2},{'old' if row % 2 else 'young'}" for row in range(140)]
    (tmp_path / "ages.csv").write_text("\n".join(["row,age", *lines]), encoding="utf-8")
    common = ("mien-tiny", "--data", "faces.csv")
    for command in (
        ("stress", *common, "--out", "stress"),
        ("groups", *common, "--groups", "ages.csv", "--detector", "whole", "--out", "groups"),
        ("evaluate", *common, "--groups", "ages.csv", "--detector", "whole", "--out", "report"),
    ):
        done = mien(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    files = [tmp_path / name for name in ("stress/stress.json", "groups/groups.json")]
    found = card("mien-tiny", evidence=[*files, tmp_path / "report/metrics.json"])
    stress, alarms, groups = found.facts.evidence[-3:]
    assert stress.kind == "disturbed pictures" and len(stress.rows) >= 10
    assert "140 faces" in stress.title and "unharmed" in stress.text
    assert alarms.kind == groups.kind == "groups"
    assert "an alarm, not an error" in alarms.text
    assert [row[0] for row in groups.rows] == ["old", "young", "all compared"]
    assert groups.rows[0][1] == "70" and groups.header[2] == "accuracy"
    assert groups.measured_by.startswith("mien evaluate mien-tiny")
    text = words(found.sections)
    assert "darkness, turned or covered faces | not measured" not in text
    done = mien("card", "mien-large", "--evidence", files[0], cwd=tmp_path)
    assert_fails_on_one_line(done, "another model file")
    values = json.loads(files[0].read_text("utf-8"))
    for broken, said in (
        ({**values, "kinds": {"blur": {}}}, "damaged report"),
        ({**values, "kinds": {}}, "damaged report"),
        ({**values, "kinds": 3}, "damaged report"),
        ({"model_sha256": values["model_sha256"]}, "nothing of groups"),
    ):
        files[0].write_text(json.dumps(broken), encoding="utf-8")
        done = mien("card", "mien-tiny", "--evidence", files[0], cwd=tmp_path)
        assert_fails_on_one_line(done, "stress.json", said)


def test_the_card_is_written_in_every_form(tmp_path: Path):
    for name in ("c.html", "c.md", "c.json"):
        assert mien("card", "mien-tiny", "--out", name, cwd=tmp_path).returncode == 0
    page = (tmp_path / "c.html").read_text("utf-8")
    assert "<h2>Factors</h2>" in page and "not measured" in page
    markdown = (tmp_path / "c.md").read_text("utf-8")
    assert markdown.startswith("# Model card: mien-tiny")
    assert "| field | value |" in markdown
    values = json.loads((tmp_path / "c.json").read_text("utf-8"))
    assert values["card"]["name"] == "mien-tiny" and len(values["evidence"]) == 6
    shown = mien("card", "mien-tiny", "--json", cwd=tmp_path).stdout
    assert json.loads(shown) == values
    done = mien("card", "mien-tiny", "--out", "c.pdf", cwd=tmp_path)
    assert_fails_on_one_line(done, "c.pdf", ".html, .md or .json")
    with pytest.raises(OutputError):
        card("mien-tiny").save(tmp_path / "missing" / "c.md" / "no")


def test_the_terminal_shows_every_section(tmp_path: Path):
    shown = mien("card", cwd=tmp_path).stdout
    places = [shown.index(f"\n{title}\n") for title in SECTIONS]
    assert places == sorted(places)
    assert "mien-small-int8" in shown and "Article 5(1)(f)" in shown


def test_texts_of_files_steer_no_terminal(tmp_path: Path):
    rows = (("\x1b[2J", "a\nb", "[red]c"),)
    evil = replace(GROUPS, title="\x1b]0;x\x07", text="[bold]b\u202e", rows=rows)
    (tmp_path / "e.json").write_text(write_evidence_text((evil,)), encoding="utf-8")
    done = mien("card", "mien-tiny", "--evidence", "e.json", cwd=tmp_path)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout and "\u202e" not in done.stdout
    assert "[bold]b" in done.stdout and "[red]c" in done.stdout


def test_a_copy_is_an_onnx_file_and_a_full_disk_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("onnx", reason="needs the train extra")
    done = mien("card", "mien-tiny", "--into", "copy.txt", cwd=tmp_path)
    assert_fails_on_one_line(done, "copy.txt", ".onnx")
    (tmp_path / "copy.onnx").write_bytes(b"older")

    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    done = mien("card", "mien-tiny", "--into", "copy.onnx", cwd=tmp_path)
    assert_fails_on_one_line(done, "copy.onnx", "No space left")
    assert (tmp_path / "copy.onnx").read_bytes() == b"older"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["copy.onnx"]


def test_no_model_of_that_name(tmp_path: Path):
    assert_fails_on_one_line(mien("card", "missing.onnx", cwd=tmp_path), "no such model file")
