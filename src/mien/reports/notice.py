"""The sign that must hang where a camera runs, in English or in the words of a file.

Article 50(3) of the AI Act wants people told who are exposed to emotion recognition. The words
stand in one table of texts, so that a translation is a file of the same texts and nothing else;
what only the operator knows is put in, or left as a line to be filled in by hand.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from mien import pages
from mien.broken_text import what_is_broken
from mien.errors import SourceError

MAX_FILE_BYTES = 64 << 10
"""Larger files of texts are refused before they are read."""
MAX_WORDS = 400
"""Characters of one thing that the operator says."""
BLANK = "_" * 32
"""What stands where nothing was said; to be filled in by hand."""

_MAX_TEXT = 1000
_PLACE = re.compile(r"\{(\w*)\}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


@dataclass(frozen=True, slots=True)
class NoticeTexts:
    """The texts of a sign. Those of `PLACES` have one place, such as ``{operator}``."""

    language: str = "en"
    """A tag of BCP 47, e.g. ``de`` or ``pt-BR``."""
    direction: str = "ltr"
    """``ltr``, or ``rtl`` for writing from right to left."""
    title: str = "Facial expressions are recognised here"
    """The headline."""
    what: str = (
        "A computer program (artificial intelligence) looks at the pictures of this camera. It "
        "finds faces and estimates which expression each of them shows, such as a smile."
    )
    """What happens."""
    limits: str = "It does not know what a person feels or thinks, and it makes mistakes."
    """What does not."""
    operator: str = "Responsible: {operator}"
    """Who."""
    purpose: str = "Purpose: {purpose}"
    """What for."""
    kept: str = "What is kept, and for how long: {kept}"
    """What remains."""
    contact: str = "Questions, objections, and access to your data: {contact}"
    """Whom to ask."""
    law: str = (
        "You are told this as Article 50(3) of Regulation (EU) 2024/1689 (AI Act) demands. Your "
        "rights under Regulation (EU) 2016/679 (GDPR) are not affected."
    )
    """Why it is said."""


PLACES = ("operator", "purpose", "kept", "contact")
"""What only the operator knows."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A sign with everything put in."""

    texts: NoticeTexts
    """As read."""
    lines: tuple[str, ...]
    """Its paragraphs, in order, below the title."""
    open_places: tuple[str, ...]
    """Names of `PLACES` that are left to be filled in by hand."""

    def to_text(self) -> str:
        """The sign as plain text."""
        return "\n\n".join((self.texts.title.upper(), *self.lines)) + "\n"

    def to_html(self) -> str:
        """The sign as a page that prints on one sheet."""
        body = "".join(pages.paragraph(line) for line in self.lines)
        return pages.page(
            self.texts.title,
            "",
            body,
            style=_STYLE,
            language=self.texts.language,
            direction=self.texts.direction,
        )


_STYLE = """
@page { size: A4; margin: 20mm; }
h1 { font-size: 2.6rem; margin-bottom: 2rem; }
p { font-size: 1.35rem; max-width: none; margin: 1.2rem 0; overflow-wrap: anywhere; }
"""


def read_texts(path: Path) -> NoticeTexts:
    """Read a file of texts: TOML with the fields of `NoticeTexts`, all of them.

    Raises:
        SourceError: the file is not there, too large, or its texts are not those of a sign.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) > MAX_FILE_BYTES:
        raise SourceError(f"{path} is larger than {MAX_FILE_BYTES >> 10} kB, so no texts of a sign")
    try:
        return _texts_of(tomllib.loads(content.decode("utf-8-sig")))
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"{path} holds no texts of a sign: {what_is_broken(error)}; start from what this "
            "prints: mien notice --template"
        ) from error


def _texts_of(values: Mapping[str, object]) -> NoticeTexts:
    names = [field.name for field in fields(NoticeTexts)]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise ValueError(f"it has a text {unknown[0]!r}, which no sign has")
    texts: dict[str, str] = {}
    for name in names:
        if name not in values:
            raise ValueError(f"it has no text {name!r}")
        text = values[name]
        if not isinstance(text, str) or not text.strip() or len(text) > _MAX_TEXT:
            raise ValueError(f"{name!r} must be a text of 1 to {_MAX_TEXT} characters")
        wanted = [name] if name in PLACES else []
        if _PLACE.findall(text) != wanted:
            place = f"the place {{{name}}} once" if wanted else "no place in braces"
            raise ValueError(f"{name!r} must have {place}")
        texts[name] = text
    if not _LANGUAGE.fullmatch(texts["language"]):
        raise ValueError(f"the language {texts['language']!r} is no tag such as 'de' or 'pt-BR'")
    if texts["direction"] not in ("ltr", "rtl"):
        raise ValueError("the direction must be 'ltr' or 'rtl'")
    return NoticeTexts(**texts)


def template() -> str:
    """The English texts as the TOML that `read_texts` reads, to be translated."""
    lines = ["# Translate the texts in quotes; leave names and words in braces as they are."]
    for name, text in asdict(NoticeTexts()).items():
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'{name} = "{quoted}"')
    return "\n".join(lines) + "\n"


def notice_of(texts: NoticeTexts, said: Mapping[str, str]) -> Notice:
    """Put what the operator says into the texts.

    Args:
        texts: of a sign.
        said: a text for any of `PLACES`; the others are left blank.

    Raises:
        ValueError: one is longer than `MAX_WORDS`, or none of `PLACES`.
    """
    for name, words in said.items():
        if name not in PLACES:
            raise ValueError(f"a sign has no place {name!r}")
        if len(words) > MAX_WORDS:
            raise ValueError(f"{name} has {len(words)} characters, more than {MAX_WORDS}")
    lines = []
    for name in ("what", "limits", *PLACES, "law"):
        text = getattr(texts, name)
        words = " ".join(said.get(name, "").split()) or BLANK
        # Not str.format: it reads attributes of what it is given.
        lines.append(text.replace(f"{{{name}}}", words) if name in PLACES else text)
    still_open = tuple(name for name in PLACES if not said.get(name, "").strip())
    return Notice(texts, tuple(lines), still_open)
