"""The page: its files, read once, with entity tags, so that browsers fetch each once."""

import hashlib

from fastapi import FastAPI, Request
from starlette.responses import Response

from mien.page.files import (
    INDEX_NAME,
    NUMBERS_PATH,
    POLICY,
    START_PATH,
    PageFile,
    browser_files,
    numbers_file,
    shell_files,
    start_file,
    why_not_in_browser,
)
from mien.serving.problems import Problem
from mien.serving.service import Service

_POLICY = f"{POLICY}; frame-ancestors 'none'"
_PERMISSIONS = "camera=(self), microphone=(), geolocation=()"


def add_page(app: FastAPI, service: Service) -> None:
    """Add ``/`` and what is below ``/page/``."""
    files = {
        path: (file, f'"{hashlib.sha256(file.content).hexdigest()[:32]}"')
        for path, file in _files(service).items()
    }

    def answer(path: str, request: Request) -> Response:
        if path not in files:
            raise Problem(404, "not-found", "there is no such file of the page")
        file, tag = files[path]
        headers = {
            "etag": tag,
            "cache-control": "no-cache",
            "content-security-policy": _POLICY,
            "permissions-policy": _PERMISSIONS,
        }
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        headers["content-type"] = file.media_type
        return Response(file.content, headers=headers)

    @app.get("/", include_in_schema=False)
    async def _index(request: Request) -> Response:
        return answer(INDEX_NAME, request)

    @app.get("/page/{path:path}", include_in_schema=False)
    async def _part(path: str, request: Request) -> Response:
        return answer(f"page/{path}", request)


def _files(service: Service) -> dict[str, PageFile]:
    engine, settings = service.engine, service.settings
    card = engine.classifier.card
    why_not = why_not_in_browser(card)
    return {
        **shell_files(),
        **browser_files(engine.bundle, card),
        NUMBERS_PATH: numbers_file(card),
        START_PATH: start_file(
            has_server=True,
            has_token=settings.token is not None,
            why_not=why_not,
            body_bytes=settings.limits.body_bytes,
            video_bytes=settings.limits.video_bytes,
        ),
    }
