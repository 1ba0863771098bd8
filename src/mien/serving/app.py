"""The application: its routes, how errors are answered, and what it says of itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.websockets import WebSocket

import mien
from mien.serving import schemas
from mien.serving.docs_page import docs_page
from mien.serving.metrics import CONTENT_TYPE
from mien.serving.page_routes import add_page
from mien.serving.picture_routes import add_pictures
from mien.serving.problems import Problem, ending, internal
from mien.serving.service import Service
from mien.serving.shell import Shell
from mien.serving.video_routes import add_videos


def build_app(service: Service) -> Shell:
    """The ASGI application of a service."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            await service.close()

    app = FastAPI(
        title="mien serve",
        version=mien.__version__,
        description="The expressions that faces show, in pictures, videos and live.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    _add_handlers(app)
    add_pictures(app, service)
    add_videos(app, service)
    _add_live(app, service)
    _add_about(app, service)
    add_page(app, service)
    _add_head(app, service.settings.root_path)
    return Shell(app, service.gate, service.doorkeeper, service.metrics)


def _add_handlers(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> Response:
        return error.as_response()

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        kind = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "http")
        detail = {
            404: "there is nothing at this address; /docs says what there is",
            405: "this address does not understand that method",
        }.get(error.status_code, str(error.detail))
        return Problem(error.status_code, kind, detail, headers=error.headers).as_response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        errors = [
            {"where": ".".join(map(str, one["loc"])), "what": one["msg"]} for one in error.errors()
        ]
        first = errors[0]
        return Problem(
            422, "bad-value", f"{first['where']}: {first['what']}", errors=errors
        ).as_response()

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> Response:
        return internal().as_response()


def _add_live(app: FastAPI, service: Service) -> None:
    @app.websocket("/v1/live")
    async def live(websocket: WebSocket) -> None:
        try:
            await service.live.serve(websocket)
        except Problem as problem:  # which handlers of exceptions cannot answer here
            await websocket.send_denial_response(problem.as_response())

    @app.get("/v1/live", include_in_schema=False)
    async def upgrade() -> Response:
        raise Problem(
            426,
            "websocket",
            "this address is a WebSocket",
            headers={"upgrade": "websocket", "connection": "upgrade"},
        )


def _add_about(app: FastAPI, service: Service) -> None:
    engine, root = service.engine, service.settings.root_path
    model = schemas.Model(
        name=engine.classifier.card.name,
        labels=list(engine.classifier.label_set.keys),
        licence=engine.classifier.card.licence,
        detector=engine.detector.name,
    )
    models = schemas.Models(models=[model], mien=mien.__version__).model_dump()

    @app.get(
        "/v1/models",
        summary="What answers",
        response_model=schemas.Models,
        responses=schemas.problems(401, 421),
    )
    async def _models() -> Response:
        """The model with its labels in order, and the detector."""
        return JSONResponse(models)

    @app.get(
        "/healthz",
        summary="Whether it runs",
        response_model=schemas.Health,
        responses=schemas.problems(421),
    )
    async def _healthy() -> Response:
        """Answers as long as the process does."""
        return JSONResponse({"status": "ok"})

    @app.get(
        "/readyz",
        summary="Whether it accepts requests",
        response_model=schemas.Health,
        responses=schemas.problems(421, 503),
    )
    async def _ready() -> Response:
        """Refuses once the service is about to end."""
        if service.is_ending:
            raise ending()
        return JSONResponse({"status": "ok"})

    @app.get(
        "/metrics",
        summary="What it counted",
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
            **schemas.problems(401, 421),
        },
        response_class=Response,
    )
    async def _metrics() -> Response:
        """Prometheus's text format."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    @app.get("/openapi.json", include_in_schema=False)
    async def _description() -> Response:
        return JSONResponse(_described(app, root))

    @app.get("/docs", include_in_schema=False)
    async def _docs(request: Request) -> Response:
        # A proxy with TLS says so; nothing but the text of the examples depends on it.
        told = request.headers.get("x-forwarded-proto", "")
        scheme = told if told in ("http", "https") else service.settings.scheme
        host = request.headers["host"]
        html, policy = docs_page(_described(app, root), f"{scheme}://{host}{root}")
        return HTMLResponse(html, headers={"content-security-policy": policy})


def _add_head(app: FastAPI, root_path: str) -> None:
    """Let HEAD be asked where GET is, as monitors do; the description need not say so."""
    _described(app, root_path)
    for route in app.routes:
        if isinstance(route, APIRoute) and route.methods and "GET" in route.methods:
            route.methods.add("HEAD")


def _described(app: FastAPI, root_path: str) -> dict[str, Any]:
    """The description, with the problem's schema and the token."""
    if app.openapi_schema is None:
        description = app.openapi()
        if root_path:
            description["servers"] = [{"url": root_path}]
        parts = description["components"]
        parts["schemas"]["ProblemDetails"] = schemas.ProblemDetails.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):
            parts["schemas"].pop(unused, None)
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, operations in description["paths"].items():
            if path not in ("/healthz", "/readyz"):
                for operation in operations.values():
                    operation["security"] = [{"token": []}, {}]
    return dict(app.openapi_schema or {})
