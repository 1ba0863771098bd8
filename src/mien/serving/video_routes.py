"""The routes of videos, from the upload to the files."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, BinaryIO

from fastapi import FastAPI, Path, Query, Request
from starlette.responses import FileResponse, JSONResponse, Response

from mien.serving import schemas
from mien.serving.bodies import (
    MULTIPART,
    Allowance,
    Form,
    Sink,
    announced_bytes,
    media_type,
    not_supported,
    receive_body,
    unknown_field,
)
from mien.serving.job_process import FILES, FULL
from mien.serving.jobs import Job
from mien.serving.problems import Problem, ending
from mien.serving.schemas import BINARY
from mien.serving.service import Service

_FIELD = "video"
_WRITE_BYTES = 1_000_000
_VIDEO_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "video/*": {"schema": BINARY},
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "properties": {_FIELD: BINARY},
                    "required": [_FIELD],
                    "additionalProperties": False,
                }
            },
        },
    }
}
_Options = Annotated[schemas.Options, Query()]
_JobId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="As in Location.")]


def add_videos(app: FastAPI, service: Service) -> None:
    """Add ``/v1/videos`` and what is below it."""
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
            raise not_supported("video/*", kind.name)
        try:
            with _while_there_is_room():
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
            200: {"content": {kind: {"schema": BINARY}}, "description": "The file."},
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
        if field != _FIELD:
            raise unknown_field(field, _FIELD)
        n_files += 1
        if n_files > 1:
            raise Problem(422, "too-many-videos", "a form has one video at most")
        job.source = name
        return waiting.extend

    with _while_there_is_room():
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
                raise Problem(422, "no-video", f"the form has no field {_FIELD!r}")
        await asyncio.to_thread(_write, file, bytes(waiting))
        if not file.tell():
            raise Problem(422, "no-video", "the video is empty")


def _write(file: BinaryIO, content: bytes) -> None:
    with _while_there_is_room():
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) :]


@contextmanager
def _while_there_is_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise Problem(507, "disk-full", "the disk of the service is full") from error
        raise
