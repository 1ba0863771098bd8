"""What a comparison says, as tables for people and as JSON, and the folder that holds both.

The tables are those of the terminal, too. What a comparison invites one to do wrong is said
beside it: to choose a model by a score and then to quote that score.
"""

import json
from pathlib import Path
from typing import Any

import mien
from mien.evaluation.compare import SIGNIFICANCE, Comparison, Entry, Pair
from mien.files import atomic_folder
from mien.provenance import commit
from mien.reports.comparison_plot import comparison_png
from mien.reports.document import Block, Code, Plot, Section, Table, Text, to_html, to_markdown
from mien.reports.wording import code_words, percent, percent_interval
from mien.samples import Split

COMPARISON_FILES = (
    "comparison.json",
    "comparison.md",
    "comparison.html",
    "comparison.png",
)
"""Every file of the folder."""

_SMALLEST_P = 0.0001


def write_comparison(out: Path, comparison: Comparison, command: str) -> None:
    """Write the folder of a comparison, or replace an older one in it.

    Args:
        out: the folder; it is created, with those above it.
        comparison: the numbers.
        command: command that compares this again.

    Raises:
        OutputError: the folder cannot be written, or holds other files; it is as it was.
        MissingExtraError: matplotlib is not installed.
    """
    table = comparison.table
    title = f"Comparison on {table.split}"
    subtitle = f"{len(comparison.entries)} models on {len(table):,} faces of {table.source}"
    plot = Plot("comparison.png", comparison_png(comparison), _ALT, 900)
    sections = _sections(comparison, plot, command)
    files = {
        "comparison.json": comparison_json(comparison, command).encode(),
        "comparison.md": _encoded(to_markdown(title, subtitle, sections)),
        "comparison.html": _encoded(to_html(title, subtitle, sections)),
        "comparison.png": plot.png,
    }
    with atomic_folder(out) as folder:
        for name in COMPARISON_FILES:
            (folder / name).write_bytes(files[name])


def comparison_json(comparison: Comparison, command: str) -> str:
    """Every number, as JSON with a fixed order of keys; what is unknown is null."""
    table = comparison.table
    values = {
        "split": table.split,
        "source": table.source,
        "n": len(table),
        "data_sha256": comparison.entries[0].candidate.data_sha256,
        "models": [_entry_values(entry) for entry in comparison.entries],
        "pairs": [_pair_values(pair) for pair in comparison.pairs],
        "significance": SIGNIFICANCE,
        "bootstrap": {"resamples": comparison.n_resamples, "seed": comparison.seed},
        "notes": notes(comparison),
        "command": command,
        "mien_version": mien.__version__,
        "commit": commit(),
    }
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def models_table(comparison: Comparison) -> Table:
    """A line per model, the most accurate first; facts that nobody knows have no column."""
    entries = comparison.entries
    columns: list[tuple[str, list[str]]] = [
        ("model", [entry.candidate.name for entry in entries]),
        ("parameters", [_count(entry.candidate.parameters) for entry in entries]),
        ("kept epoch", [_kept_epoch(entry) for entry in entries]),
        ("accuracy", [percent(entry.evaluation.accuracy) for entry in entries]),
        ("95 % interval", [percent_interval(entry.evaluation.accuracy_ci95) for entry in entries]),
        ("unseen faces", [percent(entry.evaluation.accuracy_unseen) for entry in entries]),
        ("macro F1", [percent(entry.evaluation.macro_f1) for entry in entries]),
        ("ECE", [percent(entry.evaluation.ece) for entry in entries]),
    ]
    if len({entry.candidate.predictions.tta for entry in entries}) > 1:
        columns.append(("TTA", [entry.candidate.predictions.tta for entry in entries]))
    known = [(title, cells) for title, cells in columns if set(cells) != {"n/a"}]
    return Table(
        tuple(title for title, _ in known), tuple(zip(*(cells for _, cells in known), strict=True))
    )


def pairs_table(comparison: Comparison) -> Table:
    """A line per pair of models."""
    corrected = len(comparison.pairs) > 1
    header = ("first", "second", "points", "95 % interval", "only first", "only second")
    rows = []
    for pair in comparison.pairs:
        low, high = pair.difference_ci95
        cells = (
            pair.first,
            pair.second,
            f"{100 * pair.difference:.2f}",
            f"{100 * low:.2f} to {100 * high:.2f}",
            f"{pair.only_first:,}",
            f"{pair.only_second:,}",
            _p(pair.p),
        )
        verdict = "yes" if pair.told_apart else "no"
        rows.append((*cells, _p(pair.p_holm), verdict) if corrected else (*cells, verdict))
    tests = ("p", "p (Holm)", "told apart") if corrected else ("p", "told apart")
    return Table((*header, *tests), tuple(rows), numeric_from=2)


def notes(comparison: Comparison) -> list[str]:
    """What a reader must know beside the numbers, the most important first."""
    table = comparison.table
    split = table.split
    texts = [
        f"Choosing among these models by their score on the {split} split makes it a validation "
        "split: the score of the chosen one is then somewhat too good, and an honest one comes "
        "from faces that chose nothing, measured once."
    ]
    if split == Split.TEST:
        texts[0] += " Choose on validation faces instead."
    texts += _cautions(comparison)
    texts.append(
        "Points: accuracy of the first less that of the second. Only first, only second: faces on "
        "which only that one is right. Told apart: McNemar's test on these faces has a "
        f"p below {SIGNIFICANCE:g}"
        + (
            f" after Holm's correction for {len(comparison.pairs)} pairs"
            if len(comparison.pairs) > 1
            else ""
        )
        + ". Not told apart does not mean equal, and another training of the same recipe with "
        "another seed may differ by as much."
    )
    return texts


def _cautions(comparison: Comparison) -> list[str]:
    """Cautions of the models; one that all share is said once."""
    by_text: dict[str, list[str]] = {}
    for entry in comparison.entries:
        for text in entry.candidate.cautions:
            by_text.setdefault(text, []).append(entry.candidate.name)
    everyone = len(comparison.entries)
    return [
        text if len(names) == everyone else f"{', '.join(names)}: {text}"
        for text, names in by_text.items()
    ]


_ALT = "accuracy of every model with its interval, and their validation curves where known"


def _sections(comparison: Comparison, plot: Plot, command: str) -> list[Section]:
    first, *others = notes(comparison)
    models: tuple[Block, ...] = (Text(first), models_table(comparison), plot)
    return [
        Section("Models", models),
        Section("Pairs", (pairs_table(comparison), *map(Text, others))),
        Section("Measured how", (Code(command), _facts(comparison))),
    ]


def _facts(comparison: Comparison) -> Table:
    tests = sorted({pair.test for pair in comparison.pairs})
    facts = [
        ("SHA-256 of the rows", comparison.entries[0].candidate.data_sha256),
        *(
            (f"SHA-256 of {entry.candidate.name}", entry.candidate.model_sha256)
            for entry in comparison.entries
        ),
        ("McNemar's test", "; ".join(tests)),
        ("intervals", f"{comparison.n_resamples:,} resamples, seed {comparison.seed}"),
        ("mien", code_words(mien.__version__, commit())),
    ]
    return Table(("fact", "value"), tuple(facts), numeric_from=2)


def _entry_values(entry: Entry) -> dict[str, Any]:
    candidate, result = entry.candidate, entry.evaluation
    return {
        "name": candidate.name,
        "model": candidate.model,
        "model_sha256": candidate.model_sha256,
        "architecture": candidate.architecture or None,
        "parameters": candidate.parameters,
        "chosen": dict(candidate.chosen),
        "tta": candidate.predictions.tta,
        "accuracy": result.accuracy,
        "accuracy_ci95": result.accuracy_ci95,
        "accuracy_unseen": result.accuracy_unseen,
        "accuracy_unseen_ci95": result.accuracy_unseen_ci95,
        "balanced_accuracy": result.balanced_accuracy,
        "balanced_accuracy_ci95": result.balanced_accuracy_ci95,
        "macro_f1": result.macro_f1,
        "macro_f1_ci95": result.macro_f1_ci95,
        "nll": result.nll,
        "ece": result.ece,
        "curve": [
            {"epoch": epoch, "val_accuracy": accuracy} for epoch, accuracy in candidate.curve
        ],
    }


def _pair_values(pair: Pair) -> dict[str, Any]:
    return {
        "first": pair.first,
        "second": pair.second,
        "difference": pair.difference,
        "difference_ci95": pair.difference_ci95,
        "only_first": pair.only_first,
        "only_second": pair.only_second,
        "p": pair.p,
        "test": pair.test,
        "p_holm": pair.p_holm,
        "told_apart": pair.told_apart,
    }


def _kept_epoch(entry: Entry) -> str:
    epoch, of_epochs = (entry.candidate.chosen.get(key) for key in ("epoch", "of_epochs"))
    if epoch is None:
        return "n/a"
    return str(epoch) if of_epochs is None else f"{epoch} of {of_epochs}"


def _count(number: int | None) -> str:
    return "n/a" if number is None else f"{number:,}"


def _p(p: float) -> str:
    return f"< {_SMALLEST_P:g}" if p < _SMALLEST_P else f"{p:.4f}"


def _encoded(text: str) -> bytes:
    # File names that are no valid text must not spoil a report.
    return text.encode("utf-8", errors="backslashreplace")
