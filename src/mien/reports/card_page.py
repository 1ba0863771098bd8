"""A model's card for people: the sections of Mitchell et al., "Model cards for model reporting"
(2019), in their order, from the card in the file and from what else is known of the file.

What is not known is said, too: a factor that nobody has measured stands there as not measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mien.model.card import ModelCard, Score
from mien.model.evidence import Evidence
from mien.reports.document import Block, Code, Section, Table, Text
from mien.reports.uses import ARTICLES, INTENDED, LAW, NO_ADVICE, OUT_OF_SCOPE
from mien.reports.wording import UNKNOWN, percent, percent_with, split_words

_TEXTS = 99
"""More columns than any table has: none of its cells is set as a number."""

_NOT_MEASURED = "not measured"

_FACTORS = (
    ("faces like those of the training", "", "unseen faces"),
    ("faces of other cameras and places", "", "other faces"),
    ("groups of people", "age, sex, skin colour, glasses", "groups"),
    ("disturbed pictures", "blur, noise, darkness, turned or covered faces", "disturbed pictures"),
)
"""What may make a difference, examples, and the kind of evidence that says whether it does."""

_ONLY_NAMED = (
    "Each was measured only as far as it is named here: of other groups of people, other damage "
    "and other cameras nothing is known."
)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a file beside its card."""

    file_name: str
    """Name of the file."""
    size_bytes: int
    """Its size."""
    sha256: str
    """Its hash."""
    evidence: tuple[Evidence, ...] = ()
    """What was found out about it: of the card, of the shipped file, and of files given."""


def card_sections(card: ModelCard, facts: ModelFacts) -> list[Section]:
    """The card as sections of text and tables, in the order of Mitchell et al., 2019."""
    return [
        Section("Model details", (_details(card, facts),)),
        Section("Intended use", _uses(facts.evidence)),
        Section("Factors", _factors(card, facts.evidence)),
        Section("Metrics", _metrics(card)),
        Section("Evaluation data", _evaluation_data(card)),
        Section("Training data", _training_data(card)),
        Section("Quantitative analyses", _analyses(card, facts.evidence)),
        Section("Ethical considerations", _ethics()),
        Section("Caveats and recommendations", _caveats(card, facts)),
    ]


def _details(card: ModelCard, facts: ModelFacts) -> Table:
    height, width, channels = card.input_shape
    rows = [
        ("name", card.name),
        ("file", f"{facts.file_name}, {facts.size_bytes / 1e6:.2f} MB"),
        ("SHA-256", facts.sha256),
        ("network", f"{card.architecture}, {card.precision}"),
        ("input", f"a face, {width} x {height} pixels, {'grey' if channels == 1 else 'RGB'}"),
        ("crop", f"as the faces of {card.framing}"),
        ("classes", ", ".join(card.labels)),
        ("licence", card.licence or UNKNOWN),
        ("trained by", f"mien, commit {card.commit}" if card.commit else UNKNOWN),
    ]
    return Table(("field", "value"), tuple(rows), _TEXTS)


def _uses(evidence: Sequence[Evidence]) -> tuple[Block, ...]:
    rows = [("intended", text) for text in INTENDED]
    rows += [("intended", each.text) for each in evidence if each.kind == "use"]
    rows += [("out of scope", text) for text in OUT_OF_SCOPE]
    law = tuple((article, f"from {date}", text) for article, date, text in ARTICLES)
    return (
        Table(("use", "for what"), tuple(rows), _TEXTS),
        Text(f"{LAW}. {NO_ADVICE}"),
        Table(("article", "applies", "what it says"), law, _TEXTS),
    )


def _factors(card: ModelCard, evidence: Sequence[Evidence]) -> tuple[Block, ...]:
    scored = sorted({split_words(score.split) for score in card.scores})
    rows = []
    for factor, examples, kind in _FACTORS:
        titles = scored if kind == "unseen faces" else []
        titles = [*titles, *(each.title for each in evidence if each.kind == kind)]
        nothing = f"{_NOT_MEASURED}: {examples}" if examples else _NOT_MEASURED
        rows.append((factor, "; ".join(titles) or nothing))
    is_any = any(row[1].split(":")[0] != _NOT_MEASURED for row in rows)
    rows.append(("what people felt", f"{_NOT_MEASURED}: labels say what others saw in a picture"))
    table = Table(("factor", "measured on"), tuple(rows), _TEXTS)
    return (table, Text(_ONLY_NAMED)) if is_any else (table,)


def _metrics(card: ModelCard) -> tuple[Block, ...]:
    fitted = card.calibration
    confidence = (
        f"Confidences are softmax probabilities at temperature {card.temperature:.3f}, which was "
        + (
            f"fitted on {fitted.n:,} rows of {split_words(f'{fitted.source} {fitted.split}')}; the "
            "cross-fitted "
            f"calibration error there is {percent(fitted.ece_cross_fitted)}."
            if fitted is not None
            else "not fitted to make them match the accuracy."
        )
    )
    return (
        Text(
            "Top-1 accuracy, macro F1 (the mean over classes, so that rare ones count as much) "
            "and expected calibration error (ECE, 15 bins). 95 % intervals by bootstrap over rows."
        ),
        Text(confidence),
        Text(
            "No threshold is built in: --min-confidence shows faces below it as uncertain, and "
            "the report of mien evaluate helps to choose it."
        ),
    )


def _evaluation_data(card: ModelCard) -> tuple[Block, ...]:
    if not card.scores:
        return (Text("None: the card holds no score. Measure the model: mien evaluate."),)
    rows = {
        score.data_sha256: (split_words(score.split), f"{score.n:,}", score.data_sha256)
        for score in card.scores
    }
    return (
        Table(("split", "faces", "SHA-256 of the rows"), tuple(rows.values()), _TEXTS),
        Text(_choice(card)),
    )


def _choice(card: ModelCard) -> str:
    split = card.chosen.get("split")
    if not split:
        return "Which faces chose the epoch is not known."
    metric = card.chosen.get("metric", "a metric")
    if metric == "epoch":
        return (
            f"The last epoch was kept. The temperature was fitted on the split {split}, and "
            "recipes are compared on it; scores on that split are slightly too good."
        )
    return (
        f"The epoch was chosen by {metric} on the split {split}; scores on that split are "
        "slightly too good."
    )


def _training_data(card: ModelCard) -> tuple[Block, ...]:
    rows = []
    for name, value in card.data.items():
        if isinstance(value, Mapping) and "n" in value:
            rows.append(
                (str(name), f"{value['n']:,} faces, SHA-256 {value.get('sha256', UNKNOWN)}")
            )
        else:
            rows.append((str(name), _plain(value)))
    members = card.recipe.get("members", ())
    rows += [
        ("member", _plain({name: member[name] for name in ("name", "sha256") if name in member}))
        for member in members
        if isinstance(member, Mapping)
    ]
    if not rows:
        return (Text("Not known."),)
    return (Table(("what", "which"), tuple(rows), _TEXTS),)


def _plain(value: Any) -> str:
    """A value of a card's data as text; hashes by their beginning."""
    if isinstance(value, Mapping):
        others = {name: each for name, each in value.items() if name != "sha256"}
        text = ", ".join(
            str(each) if name in ("name", "source") else f"{name} {_plain(each)}"
            for name, each in others.items()
        )
        return f"{text} (SHA-256 {value['sha256'][:12]}...)" if "sha256" in value else text
    if isinstance(value, list | tuple):
        return "; ".join(_plain(each) for each in value)
    return str(value)


def _analyses(card: ModelCard, evidence: Sequence[Evidence]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    if card.scores:
        header = ("measured on", "top-1 accuracy", "without duplicates", "macro F1", "ECE")
        blocks.append(Table(header, tuple(_score_row(score) for score in card.scores)))
        blocks += [Code(command) for command in {score.command: None for score in card.scores}]
    for kind in ("unseen faces", "other faces", "groups", "disturbed pictures", "confusions"):
        for each in evidence:
            if each.kind == kind:
                blocks += _blocks_of(each)
    return tuple(blocks) or (Text("Nothing was measured. Measure the model: mien evaluate."),)


def _score_row(score: Score) -> tuple[str, ...]:
    view = ", mirror image averaged" if score.tta == "flip" else ""
    against = f", {score.against}" if score.against else ""
    return (
        f"{split_words(score.split)}, {score.n:,} faces{against}{view}",
        percent_with(score.accuracy, score.accuracy_ci95),
        percent(score.accuracy_unseen),
        percent(score.macro_f1),
        percent(score.ece),
    )


def _blocks_of(evidence: Evidence) -> list[Block]:
    blocks: list[Block] = [Text(f"{evidence.title}. {evidence.text}")]
    if evidence.rows:
        blocks.append(Table(evidence.header, evidence.rows, _TEXTS))
    if evidence.measured_by:
        at = f", commit {evidence.commit}" if evidence.commit else ""
        blocks.append(Text(f"How: {evidence.measured_by}{at}"))
    return blocks


def _ethics() -> tuple[Block, ...]:
    return (
        Text(
            "The model says which expression a face shows in a picture, never what a person "
            "feels. People smile when they are sad and frown when they think."
        ),
        Text(
            "Its labels were given by people who looked at pictures, and carry their habits. It "
            "may read some groups of people worse than others."
        ),
        Text(
            "Nobody can refuse a camera that is not announced: where one runs, a sign must say so "
            "(mien notice)."
        ),
    )


def _caveats(card: ModelCard, facts: ModelFacts) -> tuple[Block, ...]:
    faults = [f"{each.title}: {each.text}" for each in facts.evidence if each.kind == "fault"]
    kinds = {each.kind for each in facts.evidence}
    scored = {"unseen faces"} if card.scores else set()
    missing = [
        f"{factor} ({examples})" if examples else factor
        for factor, examples, kind in _FACTORS
        if kind not in kinds | scored
    ]
    texts = [*faults]
    if missing:
        texts.append(f"Nobody has measured: {'; '.join(missing)}.")
    if not any("test" in score.split.lower().split() for score in card.scores) and (
        not kinds & {"unseen faces", "other faces"}
    ):
        texts.append("No score is of faces on which nothing was chosen.")
    texts.append("Measure it on faces like yours before you rely on a number: mien evaluate.")
    return tuple(Text(text) for text in texts)
