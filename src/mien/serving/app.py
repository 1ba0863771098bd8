"""The routes: what each request means. Bodies are read within limits and nowhere else."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, BinaryIO

from fastapi import FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.websockets import WebSocket

import mien
from mien.serving import schemas
from mien.serving.bodies import (
    MULTIPART,
    Allowance,
    Form,
    Part,
    Sink,
    announced_bytes,
    media_type,
    receive_body,
    unknown_field,
)
from mien.serving.docs_page import docs_page
from mien.serving.job_process import FILES
from mien.serving.jobs import Job
from mien.serving.metrics import CONTENT_TYPE
from mien.serving.photos import as_body
from mien.serving.pool import AbandonedError
from mien.serving.problems import Problem, ending, internal
from mien.serving.protocol import CONNECTION_KEY
from mien.serving.service import Service
from mien.serving.shell import Shell

_PICTURE_FIELD, _VIDEO_FIELD = "image", "video"
_WRITE_BYTES = 1_000_000
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BINARY = {"type": "string", "format": "binary"}
_RECOGNIZE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": {"schema": _BINARY},
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "properties": {
                        _PICTURE_FIELD: {
                            "type": "array",
                            "items": _BINARY,
                            "minItems": 1,
                            "maxItems": 32,
                        }
                    },
                    "required": [_PICTURE_FIELD],
                    "additionalProperties": False,
                }
            },
        },
    }
}
_VIDEO_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "video/*": {"schema": _BINARY},
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "properties": {_VIDEO_FIELD: _BINARY},
                    "required": [_VIDEO_FIELD],
                    "additionalProperties": False,
                }
            },
        },
    }
}
_Options = Annotated[schemas.Options, Query()]
_JobId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="As in Location.")]


def build_app(service: Service) -> Shell:
    """The ASGI application of a service."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.jobs.start()
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
    _add_pictures(app, service)
    _add_videos(app, service)
    _add_live(app, service)
    _add_about(app, service)
    return Shell(app, service.gate, service.metrics)


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


def _add_pictures(app: FastAPI, service: Service) -> None:
    limits = service.settings.limits
    body = _with_limit(_RECOGNIZE_BODY, limits.pictures)

    @app.post(
        "/v1/recognize",
        summary="Recognise pictures",
        response_model=schemas.Results,
        responses=schemas.problems(400, 401, 403, 408, 413, 415, 421, 422, 503),
        openapi_extra=body,
    )
    async def recognize(request: Request, options: _Options) -> Response:
        """One picture as the body, or up to 32 in the field `image` of a form. A picture that
        cannot be read has a problem in its place; where none can, the answer is a problem."""
        announced = announced_bytes(request.headers, limits.body_bytes)
        kind = media_type(request.headers)
        if kind.name != MULTIPART and not kind.name.startswith("image/"):
            raise _not_supported("image/*", kind.name)
        try:
            ticket = service.admission.enter(announced)
        except Problem:
            service.metrics.refused("picture")
            raise
        with ticket:
            allowance = Allowance(limit_bytes=limits.body_bytes, within_s=limits.body_s)
            pictures: list[Part] = []

            def open_part(field: str, name: str) -> Sink:
                if field != _PICTURE_FIELD:
                    raise unknown_field(field, _PICTURE_FIELD)
                if len(pictures) >= limits.pictures:
                    raise Problem(
                        413, "too-many-pictures", f"a form has {limits.pictures} pictures at most"
                    )
                pictures.append(Part(name))
                return pictures[-1].content.extend

            if kind.name == MULTIPART:
                form = Form(kind.boundary, open_part)
                await receive_body(request.receive, form.take, allowance, ticket=ticket)
                form.finish()
                if not pictures:
                    raise Problem(422, "no-picture", "the form has no field 'image'")
            else:
                pictures.append(Part(""))
                take = pictures[0].content.extend
                await receive_body(request.receive, take, allowance, ticket=ticket)
            recognizer = service.engine.photos(options.min_confidence, options.tta)
            connection = request.scope.get(CONNECTION_KEY)

            def is_wanted() -> bool:
                return connection is None or not connection.is_gone

            try:
                found, taken_s = await service.photos.recognize(pictures, recognizer, is_wanted)
            except AbandonedError:
                raise ending() from None  # to nobody, or as the service ends
            service.admission.worked(taken_s)
        content = as_body(pictures, found, service.engine.classifier.card.name, mien.__version__)
        return Response(content, media_type="application/json")


def _with_limit(body: dict[str, Any], n_pictures: int) -> dict[str, Any]:
    content = body["requestBody"]["content"]
    form = content[MULTIPART]["schema"]
    pictures = {**form["properties"][_PICTURE_FIELD], "maxItems": n_pictures}
    schema = {**form, "properties": {_PICTURE_FIELD: pictures}}
    return {
        "requestBody": {
            **body["requestBody"],
            "content": {**content, MULTIPART: {"schema": schema}},
        }
    }


def _not_supported(wanted: str, got: str) -> Problem:
    return Problem(
        415,
        "media-type",
        f"expected a body of {wanted} or {MULTIPART}, got {got[:100] or 'no Content-Type'}",
        headers={"accept-post": f"{wanted}, {MULTIPART}"},
    )


def _add_videos(app: FastAPI, service: Service) -> None:
    limits = service.settings.limits

    @app.post(
        "/v1/videos",
        summary="Recognise a video",
        status_code=202,
        response_model=schemas.Job,
        responses={
            202: {
                "description": "The video is here and waits; ask at Location how far it is.",
                "headers": {"Location": {"schema": {"type": "string"}}},
            },
            **schemas.problems(400, 401, 403, 408, 413, 415, 421, 422, 503, 507),
        },
        openapi_extra=_VIDEO_BODY,
    )
    async def upload(request: Request, options: _Options) -> Response:
        """One video as the body, or in the field `video` of a form."""
        announced_bytes(request.headers, limits.video_bytes)
        kind = media_type(request.headers)
        if kind.name != MULTIPART and not kind.name.startswith("video/"):
            raise _not_supported("video/*", kind.name)
        try:
            job = service.jobs.begin(options.model_dump())
        except Problem:
            service.metrics.refused("video")
            raise
        try:
            await _store(request, job, service, kind.boundary if kind.name == MULTIPART else None)
        except BaseException:
            service.jobs.delete(job)
            raise
        service.jobs.submit(job)
        location = f"{request.scope.get('root_path', '')}/v1/videos/{job.id}"
        return JSONResponse(job.as_dict(), 202, {"location": location})

    @app.get(
        "/v1/videos/{job_id}",
        summary="How far a video is",
        response_model=schemas.Job,
        responses=schemas.problems(401, 404, 421, 422),
    )
    async def state(job_id: _JobId) -> Response:
        """Its state, the frames that are done, and what can be fetched."""
        return JSONResponse(service.jobs.find(job_id).as_dict())

    @app.delete(
        "/v1/videos/{job_id}",
        summary="Delete a video",
        status_code=204,
        responses=schemas.problems(401, 403, 404, 421, 422),
    )
    async def delete(job_id: _JobId) -> Response:
        """Ends the work on it and removes its results."""
        service.jobs.delete(service.jobs.find(job_id))
        return Response(status_code=204)

    for name, kind in FILES.items():
        _add_file(app, service, name, kind)


def _add_file(app: FastAPI, service: Service, name: str, kind: str) -> None:
    @app.get(
        f"/v1/videos/{{job_id}}/{name}",
        summary=f"Fetch {name}",
        response_class=FileResponse,
        responses={
            200: {"content": {kind: {"schema": _BINARY}}, "description": "The file."},
            **schemas.problems(401, 404, 409, 421, 422),
        },
        name=name,
    )
    async def fetch(job_id: _JobId) -> Response:
        """A result of a video that is done; kept for some minutes after its end."""
        job = service.jobs.find(job_id)
        if job.state != "done":
            why = f": {job.reason}" if job.reason else "; ask again later"
            raise Problem(409, "not-done", f"the video is {job.state}{why}")
        if name not in job.files:
            raise Problem(404, "no-such-file", "the video had no frames, so there is no such file")
        return FileResponse(job.folder / name, media_type=kind, filename=name)


async def _store(request: Request, job: Job, service: Service, boundary: bytes | None) -> None:
    """Write an upload into its job's folder."""
    limits = service.settings.limits
    waiting = bytearray()
    n_files = 0
    allowance = Allowance(
        limit_bytes=limits.video_bytes,
        within_s=limits.body_s,
        rate_bytes_s=limits.video_rate_bytes_s,
    )

    def open_part(field: str, name: str) -> Sink:
        nonlocal n_files
        if field != _VIDEO_FIELD:
            raise unknown_field(field, _VIDEO_FIELD)
        n_files += 1
        if n_files > 1:
            raise Problem(413, "too-many-videos", "a form has one video at most")
        job.source = name
        return waiting.extend

    handle = os.open(job.video, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with open(handle, "wb", buffering=0) as file:

        async def flush() -> None:
            if service.is_ending:
                raise ending()
            if len(waiting) >= _WRITE_BYTES:
                await asyncio.to_thread(_write, file, bytes(waiting))
                waiting.clear()

        if boundary is None:
            await receive_body(request.receive, waiting.extend, allowance, flush=flush)
        else:
            form = Form(boundary, open_part)
            await receive_body(request.receive, form.take, allowance, flush=flush)
            form.finish()
            if not n_files:
                raise Problem(422, "no-video", f"the form has no field {_VIDEO_FIELD!r}")
        await asyncio.to_thread(_write, file, bytes(waiting))
        if not file.tell():
            raise Problem(422, "no-video", "the video is empty")


def _write(file: BinaryIO, content: bytes) -> None:
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        if error.errno in _FULL:
            raise Problem(507, "disk-full", "the disk of the service is full") from error
        raise


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
        scheme, host = service.settings.scheme, request.headers["host"]
        html, policy = docs_page(_described(app, root), f"{scheme}://{host}{root}")
        return HTMLResponse(html, headers={"content-security-policy": policy})


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
