"""All files of the page, with the media types and the policy under which browsers take them.

Addresses are relative everywhere, so the page works below any prefix: ``index.html`` at the
root, all else below ``page/``. Media types are ours: what the system says of ``.mjs`` is wrong on
some machines, and browsers then refuse to run it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mien
from mien import pages
from mien.model import store
from mien.model.card import ModelCard
from mien.page import runtime
from mien.page.numbers import DETECTOR_NAME, MODEL_NAME, NUMBERS_NAME, numbers_of
from mien.recognition.detectors.yunet_file import quick_network

INDEX_NAME = "index.html"
"""The page itself."""
FOLDER_NAME = "page"
"""Where all other files lie, beside the page."""
START_NAME = "start.json"
"""What the page reads first."""

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; "
    "worker-src 'self'; img-src 'self' blob:; style-src 'self'; media-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'"
)
"""What the page may load and do: its own files, and pictures that the visitor gave it. As a header,
``frame-ancestors 'none'`` belongs to it; in a page browsers ignore that part."""

MEDIA_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".gz": "application/gzip",
    ".onnx": "application/octet-stream",
}
"""By the ending of a file's name."""

NO_CROP = "its model was trained on faces framed in a way that YuNet's boxes were not measured for"
"""Why a model cannot run in the browser."""

_WEB = Path(__file__).parent / "web"
_POLICY_PLACE = "<!-- policy -->"


@dataclass(frozen=True, slots=True, eq=False)
class PageFile:
    """One file of the page."""

    content: bytes
    """Its bytes."""
    media_type: str
    """As browsers are told."""


def shell_files() -> dict[str, PageFile]:
    """The page without what recognises: HTML, style and modules.

    Returns:
        Files by their path below the page's address.
    """
    found = {
        (path if path == INDEX_NAME else f"{FOLDER_NAME}/{path}"): _file(path, content)
        for path, content in (
            (file.relative_to(_WEB).as_posix(), file.read_bytes())
            for file in sorted(_WEB.rglob("*"))
            if file.suffix in MEDIA_TYPES and file.is_file()
        )
    }
    theme = f"{FOLDER_NAME}/theme.css"
    found[theme] = _file(theme, pages.THEME.encode())
    return found


def why_not_in_browser(card: ModelCard) -> str:
    """Why a model cannot run in visitors' browsers here; empty where it can."""
    if numbers_of(card)["crop"] is None:
        return NO_CROP
    if store.find("yunet") is None:
        return "the detector YuNet is not there; get it with: mien fetch yunet"
    if runtime.find() is None:
        return f"the files of ONNX Runtime Web are not there; {runtime.REMEDY}"
    return ""


def browser_files(bundle: bytes, card: ModelCard) -> dict[str, PageFile]:
    """What recognises in the browser; none where `why_not_in_browser` says why.

    Args:
        bundle: content of the classifier's ONNX file.
        card: its card.

    Returns:
        Files by their path below the page's address.
    """
    yunet, found = store.find("yunet"), runtime.find()
    if yunet is None or found is None or why_not_in_browser(card):
        return {}
    contents = {
        **found,
        DETECTOR_NAME: quick_network(yunet.read_bytes()),
        MODEL_NAME: bundle,
    }
    return {f"{FOLDER_NAME}/{name}": _file(name, content) for name, content in contents.items()}


def numbers_file(card: ModelCard) -> PageFile:
    """What the page knows of the model, as `mien.page.numbers` says."""
    return _json(numbers_of(card))


NUMBERS_PATH = f"{FOLDER_NAME}/{NUMBERS_NAME}"
"""Where `numbers_file` lies."""
MODEL_PATH = f"{FOLDER_NAME}/{MODEL_NAME}"
"""Where the classifier lies."""
START_PATH = f"{FOLDER_NAME}/{START_NAME}"
"""Where `start_file` lies."""


def start_file(
    *, has_server: bool, has_token: bool, why_not: str, body_bytes: int, video_bytes: int
) -> PageFile:
    """What the page reads first, before anybody showed a token.

    Args:
        has_server: whether there is a service behind the page.
        has_token: whether that asks for a token.
        why_not: why the browser cannot do the work; empty where it can.
        body_bytes: largest picture that the service takes.
        video_bytes: largest video.
    """
    return _json(
        {
            "mien": mien.__version__,
            "server": has_server,
            "token": has_token,
            "browser": why_not,
            "body_bytes": body_bytes,
            "video_bytes": video_bytes,
        }
    )


def static_files(bundle: bytes, card: ModelCard) -> dict[str, PageFile]:
    """The whole page for a static host; arguments as `browser_files`.

    Returns:
        Files by their path.
    """
    files = {**shell_files(), **browser_files(bundle, card), NUMBERS_PATH: numbers_file(card)}
    files[START_PATH] = start_file(
        has_server=False, has_token=False, why_not="", body_bytes=0, video_bytes=0
    )
    html = files[INDEX_NAME].content.decode()
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    files[INDEX_NAME] = _file(INDEX_NAME, html.replace(_POLICY_PLACE, policy).encode())
    return files


def _json(values: dict[str, Any]) -> PageFile:
    content = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return _file(".json", content.encode())


def _file(name: str, content: bytes) -> PageFile:
    return PageFile(content, MEDIA_TYPES["." + name.rpartition(".")[2]])
