"""What a model says of itself, for people; and the sign that must hang where a camera runs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from mien.errors import ModelError, OutputError
from mien.files import write_text
from mien.formats.onnx_cards import with_card, write_bundle
from mien.model.card import ModelCard
from mien.model.evidence import Evidence, evidence_in, read_evidence_file
from mien.model.known import known_of
from mien.reports.card_evidence import evidence_of_report, is_report
from mien.reports.card_page import ModelFacts, card_sections
from mien.reports.document import Code, Section, Table, Text, to_html, to_markdown
from mien.reports.notice import Notice, NoticeTexts, notice_of, read_texts, template
from mien.reports.uses import ARTICLES, LAW
from mien.workflows.models import open_model

__all__ = [
    "CardResult",
    "Code",
    "Notice",
    "Table",
    "Text",
    "card",
    "forbidden",
    "notice",
    "template",
]


@dataclass(frozen=True, slots=True)
class CardResult:
    """A model's card, for people and for programs."""

    card: ModelCard
    """As it stands in the file."""
    facts: ModelFacts
    """What is known of the file beside it."""

    @property
    def sections(self) -> list[Section]:
        """Sections in the order of Mitchell et al., 2019."""
        return card_sections(self.card, self.facts)

    @property
    def title(self) -> str:
        """The headline."""
        return f"Model card: {self.card.name}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the card in the file, and what is known beside it."""
        return {
            "file": self.facts.file_name,
            "size_bytes": self.facts.size_bytes,
            "sha256": self.facts.sha256,
            "card": json.loads(self.card.to_json()),
            "evidence": [each.as_dict() for each in self.facts.evidence],
        }

    def save(self, path: str | Path) -> None:
        """Write the card; the ending decides: ``.html``, ``.md`` or ``.json``.

        Raises:
            OutputError: another ending, or the file cannot be written; an older one is still
                there.
        """
        out = Path(path)
        if out.suffix == ".html":
            write_text(out, to_html(self.title, self.facts.file_name, self.sections))
        elif out.suffix == ".md":
            write_text(out, to_markdown(self.title, self.facts.file_name, self.sections))
        elif out.suffix == ".json":
            write_text(out, json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n")
        else:
            raise OutputError(f"cannot write a card to {out}: name a .html, .md or .json file")

    def __repr__(self) -> str:
        return f"CardResult({self.card.name!r}, {len(self.facts.evidence)} pieces of evidence)"


def card(
    model: str | Path = "default",
    *,
    evidence: Sequence[str | Path] = (),
    into: str | Path | None = None,
) -> CardResult:
    """What a model is, for whom it was measured, what it gets wrong, and what it is for.

    Args:
        model: as in `recognize`.
        evidence: files of further evidence (`mien.model.evidence`), to be shown with the card; also
            ``stress.json``, ``groups.json`` and ``metrics.json`` of reports about this very file.
        into: an ``.onnx`` file to write: the same network, with this evidence in its card.

    Raises:
        ModelError: the model or a file of evidence is not there or damaged; a report is of another
            file; a Keras file has no card to write to.
        WeightsError: the model's name is known, but its file is not on this machine.
        OutputError: ``into`` is no ``.onnx`` file or cannot be written; an older file is still
            there.
        MissingExtraError: ``into``, or a Keras file, without the extra ``train``.
    """
    if into is not None and Path(into).suffix != ".onnx":
        raise OutputError(f"cannot write a model to {into}: name an .onnx file")
    opened = open_model(model)
    its_card = opened.card
    sha256 = opened.sha256
    added = tuple(each for path in evidence for each in _read(Path(path), sha256))
    if into is not None:
        if opened.is_keras:
            raise ModelError(f"{opened.path} is a Keras file; evidence goes into an .onnx file")
        its_card = replace(its_card, evidence=_joined(its_card.evidence, added))
        write_bundle(with_card(opened.path.read_bytes(), its_card), Path(into))
    facts = ModelFacts(
        opened.path.name,
        opened.path.stat().st_size,
        sha256,
        _joined(known_of(sha256), its_card.evidence, added),
    )
    return CardResult(its_card, facts)


def _read(path: Path, sha256: str) -> tuple[Evidence, ...]:
    values = read_evidence_file(path)
    if is_report(values):
        return evidence_of_report(cast("dict[str, Any]", values), sha256, str(path))
    return evidence_in(values, path)


def _joined(*parts: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """All evidence, each once."""
    return tuple(dict.fromkeys(each for part in parts for each in part))


def notice(
    *,
    operator: str = "",
    purpose: str = "",
    kept: str = "",
    contact: str = "",
    texts: str | Path | None = None,
    out: str | Path | None = None,
) -> Notice:
    """The sign that must hang where a camera runs.

    Args:
        operator: who is responsible.
        purpose: what it is for.
        kept: what is kept, and for how long.
        contact: whom to ask.
        texts: a TOML file with the texts in another language; English where None.
        out: an ``.html`` or ``.txt`` file to write.

    Raises:
        SourceError: the texts cannot be read, or are not those of a sign.
        OutputError: another ending, or the file cannot be written.
        ValueError: what is said is too long for a sign.
    """
    said = {"operator": operator, "purpose": purpose, "kept": kept, "contact": contact}
    made = notice_of(NoticeTexts() if texts is None else read_texts(Path(texts)), said)
    if out is not None:
        path = Path(out)
        if path.suffix not in (".html", ".txt"):
            raise OutputError(f"cannot write a sign to {path}: name an .html or .txt file")
        write_text(path, made.to_html() if path.suffix == ".html" else made.to_text())
    return made


def forbidden() -> str:
    """Where a sign does not help: the article that forbids, in one line."""
    article, date, text = ARTICLES[0]
    return f"{LAW}, {article}, since {date}, {text}"
