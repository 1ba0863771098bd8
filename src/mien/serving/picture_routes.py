"""The routes of pictures."""

import asyncio
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from starlette.responses import Response

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
    not_supported,
    receive_body,
    unknown_field,
)
from mien.serving.photos import as_body
from mien.serving.pool import AbandonedError
from mien.serving.problems import Problem, ending
from mien.serving.protocol import CONNECTION_KEY, Connection
from mien.serving.schemas import BINARY
from mien.serving.service import Service

_FIELD = "image"
_TARPIT_S = 0.2
"""Who comes back before the seconds in Retry-After is refused only after so long: refusing at once,
as often as a client can ask, would take the processor from those that were accepted."""
_RECOGNIZE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": {"schema": BINARY},
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "properties": {
                        _FIELD: {
                            "type": "array",
                            "items": BINARY,
                            "minItems": 1,
                            "maxItems": 32,
                        }
                    },
                    "required": [_FIELD],
                    "additionalProperties": False,
                }
            },
        },
    }
}
_Options = Annotated[schemas.PictureOptions, Query()]


def add_pictures(app: FastAPI, service: Service) -> None:
    """Add ``POST /v1/recognize``."""
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
            raise not_supported("image/*", kind.name)
        connection: Connection | None = request.scope.get(CONNECTION_KEY)
        try:
            ticket = service.admission.enter(announced)
        except Problem as refusal:
            service.metrics.refused("picture")
            retry_after_s = int(refusal.headers["retry-after"])
            if connection is not None and connection.was_refused(retry_after_s):
                await asyncio.sleep(_TARPIT_S)
            raise
        with ticket:
            allowance = Allowance(limit_bytes=limits.body_bytes, within_s=limits.body_s)
            pictures: list[Part] = []

            def open_part(field: str, name: str) -> Sink:
                if field != _FIELD:
                    raise unknown_field(field, _FIELD)
                if len(pictures) >= limits.pictures:
                    raise Problem(
                        422, "too-many-pictures", f"a form has {limits.pictures} pictures at most"
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
            recognizer = service.engine.photos(
                options.min_confidence, options.tta, options.rotate_deg
            )

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
    pictures = {**form["properties"][_FIELD], "maxItems": n_pictures}
    schema = {**form, "properties": {_FIELD: pictures}}
    return {
        "requestBody": {
            **body["requestBody"],
            "content": {**content, MULTIPART: {"schema": schema}},
        }
    }
