"""Segments as an annotation document of ELAN (.eaf), a tier for each face.

Written with the standard library: the format is small, and the libraries that write it do much
else. Tests read it again with pympi-ling. Times are whole milliseconds, as ELAN has them.

Source: EAF 3.0, https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf
"""

import mimetypes
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from mien import __version__
from mien.outputs.coding import CodedSource, subject, whole_milliseconds
from mien.recognition.segments import Segment
from mien.sources.addresses import is_address

_EXPRESSION, _CONFIDENCE, _VOCABULARY = "expression", "confidence", "expressions"
_LANGUAGE = "eng"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def to_eaf(segments: Sequence[Segment], source: CodedSource, path: Path) -> str:
    """The document as text.

    Args:
        segments: of one source, by onset and track.
        source: what they are of.
        path: where the document goes, to which the video's place is relative.
    """
    root = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": f"mien {__version__}",
            "DATE": datetime.now().astimezone().isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": _XSI,
            "xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
        },
    )
    header = ElementTree.SubElement(
        root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"}
    )
    if source.name:
        ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", _media(source.name, path))
    spans = whole_milliseconds(segments, source)
    last = ElementTree.SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"})
    last.text = str(2 * len(spans))
    order = ElementTree.SubElement(root, "TIME_ORDER")
    times = sorted({time for span in spans for time in span})
    slots = {time: f"ts{number}" for number, time in enumerate(times, 1)}
    for time, slot in slots.items():
        ElementTree.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slot, "TIME_VALUE": str(time)})
    numbered = list(enumerate(zip(segments, spans, strict=True)))
    for track in sorted({segment.track for segment in segments}):
        own = [(n, segment, span) for n, (segment, span) in numbered if segment.track == track]
        tier = _tier(root, subject(track), _EXPRESSION)
        for n, segment, (begin, end) in own:
            attributes = {
                "ANNOTATION_ID": f"a{2 * n + 1}",
                "TIME_SLOT_REF1": slots[begin],
                "TIME_SLOT_REF2": slots[end],
            }
            if segment.label.key in source.shown_keys:
                attributes["CVE_REF"] = f"cve_{source.shown_keys.index(segment.label.key)}"
            _annotation(tier, "ALIGNABLE_ANNOTATION", attributes, segment.label.key)
        tier = _tier(root, f"{subject(track)} confidence", _CONFIDENCE, subject(track))
        for n, segment, _ in own:
            attributes = {"ANNOTATION_ID": f"a{2 * n + 2}", "ANNOTATION_REF": f"a{2 * n + 1}"}
            _annotation(tier, "REF_ANNOTATION", attributes, f"{segment.mean_confidence:.3f}")
    _types(root)
    _vocabulary(root, source.shown_keys)
    ElementTree.indent(root, " " * 4)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _media(name: str, path: Path) -> dict[str, str]:
    kind = mimetypes.guess_type(name)[0] or "video/mp4"
    if is_address(name):
        return {"MEDIA_URL": _printable(name), "MIME_TYPE": kind}
    media = Path(name).absolute()
    attributes = {
        # A path with bytes that are no text has no address otherwise.
        "MEDIA_URL": f"file:///{media.as_posix().lstrip('/')}",
        "MIME_TYPE": kind,
    }
    try:
        relative = Path(os.path.relpath(media, path.absolute().parent)).as_posix()
        attributes["RELATIVE_MEDIA_URL"] = relative if relative.startswith(".") else f"./{relative}"
    except ValueError:
        pass  # on another drive of Windows
    return {key: _printable(value) for key, value in attributes.items()}


def _printable(text: str) -> str:
    """Without characters that XML does not have."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _tier(
    root: ElementTree.Element, name: str, kind: str, parent: str | None = None
) -> ElementTree.Element:
    attributes = {"LINGUISTIC_TYPE_REF": kind, "TIER_ID": name}
    if parent is not None:
        attributes["PARENT_REF"] = parent
    return ElementTree.SubElement(root, "TIER", attributes)


def _annotation(
    tier: ElementTree.Element, kind: str, attributes: dict[str, str], value: str
) -> None:
    annotation = ElementTree.SubElement(tier, "ANNOTATION")
    inner = ElementTree.SubElement(annotation, kind, attributes)
    ElementTree.SubElement(inner, "ANNOTATION_VALUE").text = _printable(value)


def _types(root: ElementTree.Element) -> None:
    shared = {"GRAPHIC_REFERENCES": "false"}
    ElementTree.SubElement(
        root,
        "LINGUISTIC_TYPE",
        {
            "CONTROLLED_VOCABULARY_REF": _VOCABULARY,
            **shared,
            "LINGUISTIC_TYPE_ID": _EXPRESSION,
            "TIME_ALIGNABLE": "true",
        },
    )
    ElementTree.SubElement(
        root,
        "LINGUISTIC_TYPE",
        {
            "CONSTRAINTS": "Symbolic_Association",
            **shared,
            "LINGUISTIC_TYPE_ID": _CONFIDENCE,
            "TIME_ALIGNABLE": "false",
        },
    )


def _vocabulary(root: ElementTree.Element, keys: Sequence[str]) -> None:
    """The words that may stand in a tier of expressions, in the order that the schema asks for."""
    ElementTree.SubElement(
        root,
        "LANGUAGE",
        {
            "LANG_DEF": "http://cdb.iso.org/lg/CDB-00138502-001",
            "LANG_ID": _LANGUAGE,
            "LANG_LABEL": "English (eng)",
        },
    )
    ElementTree.SubElement(
        root,
        "CONSTRAINT",
        {
            "DESCRIPTION": "1-1 association with a parent annotation",
            "STEREOTYPE": "Symbolic_Association",
        },
    )
    vocabulary = ElementTree.SubElement(root, "CONTROLLED_VOCABULARY", {"CV_ID": _VOCABULARY})
    ElementTree.SubElement(vocabulary, "DESCRIPTION", {"LANG_REF": _LANGUAGE})
    for number, key in enumerate(keys):
        entry = ElementTree.SubElement(vocabulary, "CV_ENTRY_ML", {"CVE_ID": f"cve_{number}"})
        value = ElementTree.SubElement(
            entry, "CVE_VALUE", {"DESCRIPTION": "", "LANG_REF": _LANGUAGE}
        )
        value.text = _printable(key)
