"""Comparing models: McNemar against SciPy and by hand, paired intervals, rows that must agree."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from scipy import stats

from mien.errors import DatasetError, OutputError, SourceError
from mien.evaluation.compare import (
    CHI_SQUARE,
    EXACT,
    Candidate,
    compare,
    holm,
    mcnemar,
    paired_interval,
)
from mien.evaluation.metrics import evaluate
from mien.evaluation.predictions import Predictions
from mien.evaluation.stored import is_report, read_curve, read_report
from mien.labels import FER2013, FERPLUS
from mien.model.card import ModelCard
from mien.reports.comparison_plot import comparison_png
from mien.reports.comparison_report import (
    COMPARISON_FILES,
    comparison_json,
    models_table,
    notes,
    pairs_table,
    write_comparison,
)
from mien.reports.report import write_report
from report_factory import without_plots

COMMAND = "mien compare a b --data fer2013.csv"
CURVE = ((1.0, 0.4), (2.0, 0.6), (3.0, 0.55))


def predictions(correct: np.ndarray | list[bool], split: str = "validation") -> Predictions:
    """Rows of three classes that are right where wanted."""
    labels = np.arange(len(correct)) % 3
    answers = np.where(correct, labels, (labels + 1) % 3)
    return Predictions(
        names=tuple(f"row {i + 2}" for i in range(len(correct))),
        labels=labels,
        probabilities=0.3 * np.full((len(correct), 7), 1 / 7) + 0.7 * np.eye(7)[answers],
        label_set=FER2013,
        split=split,
        source="fer2013.csv",
        seen_duplicate=np.arange(len(correct)) % 10 == 0,
    )


def candidate(name: str, correct: np.ndarray | list[bool], **changes: object) -> Candidate:
    made = Candidate(
        name=name,
        predictions=predictions(correct),
        data_sha256="d" * 64,
        model="tiny",
        model_sha256="e" * 64,
        architecture="plain_cnn",
        parameters=2_489_095,
        chosen={"epoch": 7, "of_epochs": 10},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def random_correct(n: int, accuracy: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(n) < accuracy


def three() -> list[Candidate]:
    """Two that differ clearly, and one that is as good as the first."""
    return [
        candidate("bad", random_correct(600, 0.5, 1), parameters=None, chosen={}),
        candidate("good", random_correct(600, 0.7, 2), curve=CURVE),
        candidate("as good", random_correct(600, 0.7, 3), cautions=("Caution: x.",)),
    ]


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 0, 2 / 2**5),
        # 2 (1 + 10 + 45) / 2^10
        (8, 2, 112 / 1024),
        (6, 6, 1.0),
    ],
)
def test_mcnemar_by_hand(only_first: int, only_second: int, p: float) -> None:
    assert mcnemar(only_first, only_second) == (pytest.approx(p), EXACT)


@pytest.mark.parametrize("pair", [(3, 9), (12, 12), (0, 24), (20, 4)])
def test_few_are_tested_as_scipys_binomial_test(pair: tuple[int, int]) -> None:
    expected = stats.binomtest(pair[0], sum(pair)).pvalue
    assert mcnemar(*pair) == (pytest.approx(expected), EXACT)


@pytest.mark.parametrize("pair", [(20, 5), (13, 12), (102, 76), (900, 300), (50, 50)])
def test_many_are_tested_as_scipys_chi_square(pair: tuple[int, int]) -> None:
    statistic = max(0, abs(pair[0] - pair[1]) - 1) ** 2 / sum(pair)
    expected = stats.chi2.sf(statistic, df=1)
    assert mcnemar(*pair) == (pytest.approx(expected, rel=1e-9), CHI_SQUARE)


@pytest.mark.parametrize("pair", [(20, 5), (30, 14), (102, 76), (300, 250)])
def test_approximation_is_close_to_the_exact_test(pair: tuple[int, int]) -> None:
    exact = stats.binomtest(pair[0], sum(pair)).pvalue
    assert mcnemar(*pair)[0] == pytest.approx(exact, abs=0.004)


def test_false_alarms_keep_to_their_level() -> None:
    generator = np.random.default_rng(0)
    n = 400
    alarms = [
        mcnemar(int(first), n - int(first))[0] < 0.05
        for first in generator.binomial(n, 0.5, size=2000)
    ]
    assert 0.03 < np.mean(alarms) < 0.06


def test_an_extreme_difference_gives_a_p_of_almost_nothing() -> None:
    assert 0 <= mcnemar(3000, 0)[0] < 1e-300


def test_holm_by_hand() -> None:
    # 3 * 0.01, then max(0.03, 2 * 0.04), then max(0.08, 0.03): never below the one before.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_paired_interval_agrees_with_drawing_rows_one_by_one() -> None:
    one, two = random_correct(500, 0.7, 0), random_correct(500, 0.6, 1)
    low, high = paired_interval(one, two, 4000, seed=0)
    generator = np.random.default_rng(1)
    drawn = []
    for _ in range(4000):
        rows = generator.integers(0, 500, 500)
        drawn.append(one[rows].mean() - two[rows].mean())
    assert (low, high) == pytest.approx(tuple(np.percentile(drawn, (2.5, 97.5))), abs=0.006)


def test_paired_interval_is_narrow_where_models_agree() -> None:
    """Pairing is the point: the same two accuracies, with mostly the same errors."""
    one = random_correct(1000, 0.7, 0)
    alike = one.copy()
    alike[np.flatnonzero(one)[:20]] = False
    unlike = np.random.default_rng(5).permutation(alike)
    widths = [np.ptp(paired_interval(one, other, 2000, seed=0)) for other in (alike, unlike)]
    assert widths[0] < 0.4 * widths[1]
    assert paired_interval(one, one, 100, seed=0) == (0.0, 0.0)


def test_models_are_ranked_and_every_pair_is_tested() -> None:
    result = compare(three(), n_resamples=200)
    accuracies = [entry.evaluation.accuracy for entry in result.entries]
    assert accuracies == sorted(accuracies, reverse=True)
    assert result.entries[-1].candidate.name == "bad"
    assert len(result.pairs) == 3
    names = [entry.candidate.name for entry in result.entries]
    for pair in result.pairs:
        assert names.index(pair.first) < names.index(pair.second)
        one, two = (
            next(c for c in three() if c.name == name).predictions.correct
            for name in (pair.first, pair.second)
        )
        assert pair.only_first == (one & ~two).sum() and pair.only_second == (two & ~one).sum()
        assert pair.difference == pytest.approx(one.mean() - two.mean())
        low, high = pair.difference_ci95
        assert low <= pair.difference <= high
        assert pair.p == mcnemar(pair.only_first, pair.only_second)[0] <= pair.p_holm
        assert pair.told_apart == ("bad" in (pair.first, pair.second))


def test_equal_models_are_not_told_apart() -> None:
    correct = random_correct(100, 0.5, 0)
    (pair,) = compare([candidate("a", correct), candidate("b", correct)], n_resamples=10).pairs
    assert (pair.first, pair.second) == ("a", "b")
    assert pair.p == 1.0 and pair.difference == 0 and not pair.told_apart


def test_comparison_is_a_function_of_its_seed() -> None:
    one, again = compare(three(), n_resamples=50), compare(three(), n_resamples=50)
    other = compare(three(), n_resamples=50, seed=1)
    assert comparison_json(one, COMMAND) == comparison_json(again, COMMAND)
    assert comparison_json(one, COMMAND) != comparison_json(other, COMMAND)


RIGHT = [True, False] * 10


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (candidate("b", RIGHT, predictions=predictions(RIGHT, "test")), "on validation and b on t"),
        (candidate("b", RIGHT[:-1]), "on 20 faces of fer2013.csv and b on 19"),
        (
            candidate("b", RIGHT, predictions=replace(predictions(RIGHT), names=("x",) * 20)),
            r"face 1 of a is row 2 \(angry\), but of b it is x \(angry\)",
        ),
        (
            candidate(
                "b", RIGHT, predictions=replace(predictions(RIGHT), labels=np.array([2] * 20))
            ),
            r"row 2 \(angry\), but of b it is row 2 \(fear\)",
        ),
        (candidate("b", RIGHT, data_sha256="f" * 64), "on other pictures"),
    ],
)
def test_other_rows_are_refused(other: Candidate, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as raised:
        compare([candidate("a", RIGHT), other])
    assert "\n" not in str(raised.value) and "measure all on" in str(raised.value)


def test_models_with_other_classes_are_compared_by_name() -> None:
    eight = predictions(RIGHT)
    wide = np.pad(eight.probabilities, ((0, 0), (0, 1)))
    order = [FERPLUS.index(key) for key in FER2013.keys]
    probabilities = np.zeros((20, 8))
    probabilities[:, order] = wide[:, :7]
    other = replace(
        eight,
        probabilities=probabilities,
        labels=np.array(order)[eight.labels],
        label_set=FERPLUS,
    )
    (pair,) = compare(
        [candidate("a", RIGHT), candidate("b", RIGHT, predictions=other)], n_resamples=10
    ).pairs
    assert pair.only_first == pair.only_second == 0


def test_two_names_are_needed() -> None:
    for candidates in ([candidate("a", RIGHT)], [candidate("a", RIGHT)] * 2):
        with pytest.raises(ValueError, match="at least two different names"):
            compare(candidates)


def test_tables_say_what_is_known_alone() -> None:
    result = compare(three(), n_resamples=50)
    table = models_table(result)
    best = dict(zip(table.header, table.rows[0], strict=True))
    worst = dict(zip(table.header, table.rows[-1], strict=True))
    assert best["parameters"] == "2,489,095" and best["kept epoch"] == "7 of 10"
    assert worst["parameters"] == worst["kept epoch"] == "n/a"
    assert "TTA" not in table.header
    bare = [
        candidate(name, random_correct(50, 0.5, seed), parameters=None, chosen={})
        for seed, name in enumerate("ab")
    ]
    bare[1] = replace(bare[1], predictions=replace(bare[1].predictions, tta="flip"))
    header = models_table(compare(bare, n_resamples=5)).header
    assert "parameters" not in header and "kept epoch" not in header and "TTA" in header
    assert "p (Holm)" in pairs_table(result).header
    assert "p (Holm)" not in pairs_table(compare(bare, n_resamples=5)).header


def test_tiny_p_is_no_zero() -> None:
    result = compare([candidate("a", [True] * 100), candidate("b", [False] * 100)], n_resamples=5)
    (row,) = pairs_table(result).rows
    assert "< 0.0001" in row and row[-1] == "yes"


def test_notes_warn_of_choosing_by_the_score() -> None:
    first, *others = notes(compare(three(), n_resamples=5))
    assert "makes it a validation split" in first
    assert others[0] == "as good: Caution: x."
    assert "Holm's correction for 3 pairs" in others[-1] and "another seed" in others[-1]
    shared = [replace(one, cautions=("Caution: x.",)) for one in three()]
    assert notes(compare(shared, n_resamples=5))[1] == "Caution: x."
    tests = [replace(one, predictions=replace(one.predictions, split="test")) for one in three()]
    assert "Choose on validation faces" in notes(compare(tests, n_resamples=5))[0]


def test_folder_holds_the_same_numbers_in_every_form(tmp_path: Path) -> None:
    result = compare(three(), n_resamples=50)
    write_comparison(tmp_path / "c", result, COMMAND)
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == sorted(COMPARISON_FILES)
    values = json.loads((tmp_path / "c" / "comparison.json").read_text("utf-8"))
    assert (values["split"], values["n"], values["command"]) == ("validation", 600, COMMAND)
    assert [model["name"] for model in values["models"]][-1] == "bad"
    good = next(model for model in values["models"] if model["name"] == "good")
    assert good["curve"][1] == {"epoch": 2.0, "val_accuracy": 0.6}
    assert values["pairs"][0]["difference_ci95"] == list(result.pairs[0].difference_ci95)
    markdown = (tmp_path / "c" / "comparison.md").read_text("utf-8")
    html = (tmp_path / "c" / "comparison.html").read_text("utf-8")
    for text in ("as good", "2,489,095", "makes it a validation split", COMMAND):
        assert text in markdown and text in html
    assert "(comparison.png)" in markdown and "data:image/png;base64," in html
    before = {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()}
    write_comparison(tmp_path / "c", result, COMMAND)
    assert {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()} == before
    (tmp_path / "c" / "mine.txt").write_text("x")
    with pytest.raises(OutputError, match="mine"):
        write_comparison(tmp_path / "c", result, COMMAND)


def picture(candidates: list[Candidate]) -> PIL.Image.Image:
    drawn = PIL.Image.open(io.BytesIO(comparison_png(compare(candidates, n_resamples=20))))
    drawn.load()
    pixels = np.asarray(drawn.convert("L"))
    assert all((edge > 250).all() for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
    return drawn


def test_plot_has_a_panel_of_curves_where_there_are_any() -> None:
    with_curves = picture(three())
    without = picture([replace(one, curve=()) for one in three()])
    assert with_curves.width > 1.5 * without.width


def test_plot_of_many_runs_with_odd_names() -> None:
    runs = [
        candidate(f"$_{i}^{{ \\frac 笑 {'x' * 60}", random_correct(80, 0.5, i), curve=((1.0, 0.5),))
        for i in range(12)
    ]
    runs[0] = replace(runs[0], name="_hidden")
    assert picture(runs).height > 1000


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    without_plots(monkeypatch)
    table = predictions(random_correct(60, 0.7, 0))
    card = ModelCard(
        name="tiny",
        architecture="plain_cnn",
        labels=FER2013.keys,
        input_shape=(48, 48, 1),
        framing="fer2013",
        chosen={"epoch": 3, "of_epochs": 5, "split": "validation"},
    )
    write_report(
        tmp_path / "report",
        evaluate(table, n_resamples=5),
        table,
        card=card,
        model_sha256="e" * 64,
        data_sha256="d" * 64,
        command="mien evaluate",
        parameters=12,
    )
    return tmp_path / "report"


def test_report_is_read_back_as_it_was_written(report: Path) -> None:
    assert is_report(report) and not is_report(report.parent)
    read, written = read_report(report, "a"), predictions(random_correct(60, 0.7, 0))
    assert read.predictions.names == written.names
    assert read.predictions.label_set == FER2013
    np.testing.assert_array_equal(read.predictions.labels, written.labels)
    np.testing.assert_allclose(read.predictions.probabilities, written.probabilities, rtol=1e-7)
    assert read.predictions.seen_duplicate is not None and written.seen_duplicate is not None
    np.testing.assert_array_equal(read.predictions.seen_duplicate, written.seen_duplicate)
    assert (read.predictions.split, read.predictions.tta) == ("validation", "none")
    assert (read.name, read.model, read.parameters) == ("a", "tiny", 12)
    assert read.chosen == {"epoch": 3, "of_epochs": 5, "split": "validation"}
    assert read.cautions[0].startswith("Caution: the epoch that was kept")
    fresh = candidate("b", random_correct(60, 0.7, 0))
    (pair,) = compare([read, fresh], n_resamples=5).pairs
    assert pair.only_first == pair.only_second == 0


def test_reports_of_an_older_version_lack_some_facts(report: Path) -> None:
    values = json.loads((report / "metrics.json").read_text())
    for key in ("architecture", "parameters", "chosen", "cautions"):
        del values[key]
    (report / "metrics.json").write_text(json.dumps(values))
    read = read_report(report, "a")
    assert read.parameters is None and read.chosen == {} and read.cautions == ()


def set_metric(key: str, value: object) -> Callable[[Path], None]:
    def change(report: Path) -> None:
        values = json.loads((report / "metrics.json").read_text())
        values[key] = value
        (report / "metrics.json").write_text(json.dumps(values))

    return change


def edit_row(column: str, value: str) -> Callable[[Path], None]:
    def change(report: Path) -> None:
        with (report / "predictions.csv").open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        rows[5][column] = value
        with (report / "predictions.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    return change


@pytest.mark.parametrize(
    "damage",
    [
        lambda report: (report / "metrics.json").write_text("{"),
        lambda report: (report / "metrics.json").write_text("[]"),
        lambda report: (report / "metrics.json").write_bytes(b"\xff\xfe"),
        lambda report: (report / "predictions.csv").write_text(""),
        lambda report: (report / "predictions.csv").write_text("name,label\na,happy\n"),
        lambda report: (report / "predictions.csv").write_text("\0\0\n\0"),
        set_metric("n", 61),
        set_metric("labels", ["happy"]),
        set_metric("labels", 3),
        set_metric("chosen", 3),
        set_metric("cautions", 3),
        set_metric("parameters", "many"),
        edit_row("label", "pensive"),
        edit_row("p_happy", "much"),
        edit_row("p_happy", "7"),
    ],
)
def test_damaged_reports_are_one_line(report: Path, damage: Callable[[Path], None]) -> None:
    damage(report)
    with pytest.raises(SourceError, match="is not the report of an evaluation") as raised:
        read_report(report, "a")
    assert "\n" not in str(raised.value) and "mien evaluate" in str(raised.value)


def test_curves_of_histories(tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    assert read_curve(history) == ()
    history.write_text("epoch,loss,val_accuracy\n1.0,2.0,0.25\n2.0,nan,nan\n3.0,1.0,0.5\n")
    assert read_curve(history) == ((1.0, 0.25), (3.0, 0.5))
    for text in ("epoch\n1\n", "epoch,val_accuracy\n1,high\n", "epoch,val_accuracy\n1\n"):
        history.write_text(text)
        with pytest.raises(SourceError, match="is not the history of a training"):
            read_curve(history)
