"""The page at ``/docs``: what the service answers to, without a script or anything from elsewhere.

FastAPI's own pages load scripts from other hosts.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from mien.pages import code, page, paragraph, section, table

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_LIVE = (
    "A WebSocket. The first message is JSON: token (where the service has one and no header "
    "Authorization was sent), min_confidence, tta, half_life_s. The answer says ready. After that "
    "every binary message is a frame, JPEG or WebP, at whatever pace. Answers have the members of "
    "a result, the number of the frame (from 0) and how many frames were dropped so far, because "
    "a newer one was there."
)


def docs_page(description: Mapping[str, Any], address: str) -> tuple[str, str]:
    """The page and the policy under which browsers show it.

    Args:
        description: as at ``/openapi.json``.
        address: of the service, for the examples.

    Returns:
        HTML, and the value of the header Content-Security-Policy.
    """
    parts = [_examples(address)]
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            parts.append(section(f"{method.upper()} {path}", _operation(operation)))
    parts.append(section("WebSocket /v1/live", paragraph(_LIVE)))
    parts.append(section("For programs", paragraph("The same as OpenAPI is at openapi.json.")))
    html = page("mien serve", f"mien {description['info']['version']}", "".join(parts))
    styles = " ".join(f"'sha256-{_digest(style)}'" for style in _STYLE.findall(html))
    policy = (
        f"default-src 'none'; style-src {styles}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return html, policy


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _examples(address: str) -> str:
    return section(
        "For example",
        code(
            f"curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' {address}/v1/recognize\n"
            f"curl -F image=@one.jpg -F image=@two.jpg {address}/v1/recognize\n"
            f"curl -i --data-binary @clip.mp4 -H 'Content-Type: video/mp4' {address}/v1/videos"
        )
        + paragraph(
            "Where the service has a token, add: -H 'Authorization: Bearer TOKEN'. Errors are "
            "problem details (RFC 9457)."
        ),
    )


def _operation(operation: Mapping[str, Any]) -> str:
    parts = [paragraph(operation.get("description") or operation.get("summary", ""))]
    parameters = [
        (item["name"], item["in"], _type(item.get("schema", {})), _words(item))
        for item in operation.get("parameters", ())
    ]
    if parameters:
        parts.append(table(("parameter", "in", "values", ""), parameters, numeric_from=9))
    kinds = operation.get("requestBody", {}).get("content", {})
    if kinds:
        parts.append(paragraph(f"Body: {', '.join(kinds)}."))
    answers = [
        (status, ", ".join(answer.get("content", {})) or "-", answer.get("description", ""))
        for status, answer in operation.get("responses", {}).items()
    ]
    parts.append(table(("answer", "as", ""), answers, numeric_from=9))
    return "".join(parts)


def _words(parameter: Mapping[str, Any]) -> str:
    return str(parameter.get("description") or parameter.get("schema", {}).get("description", ""))


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    low, high = schema.get("minimum"), schema.get("maximum")
    kind = str(schema.get("type", ""))
    return f"{kind}, {low:g} to {high:g}" if low is not None and high is not None else kind
