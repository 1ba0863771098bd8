"""The shapes of requests and answers, as the description at ``/openapi.json`` tells them.

Answers are written by `mien.results`, which these describe; tests hold the two together.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mien.recognition.smoothing import HALF_LIFE_S
from mien.recognition.turning import ROTATIONS, Rotate

BINARY = {"type": "string", "format": "binary"}
"""Bytes, in the description."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Options(_Strict):
    """How faces are classified."""

    min_confidence: Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)] = Field(
        0.0,
        description="A face of which no expression is as probable as this is called uncertain; "
        "0: never.",
    )
    tta: Literal["none", "flip"] = Field(
        "none", description="`flip`: the mean of each face's and its mirror image's probabilities."
    )


class PictureOptions(Options):
    """How faces of pictures are found and classified."""

    rotate: Literal["auto", "0", "90", "180", "270"] = Field(
        "0",
        description="Degrees by which pictures are turned, clockwise, before faces are searched; "
        "`auto`: as their faces stand upright, in up to four searches.",
    )

    @property
    def rotate_deg(self) -> Rotate:
        """`rotate` as recognisers take it."""
        return next(rotation for rotation in ROTATIONS if str(rotation) == self.rotate)


class LiveOptions(Options):
    """First message of a live connection."""

    token: str | None = None
    half_life_s: Annotated[float, Field(ge=0.0, le=60.0, allow_inf_nan=False)] = HALF_LIFE_S


class Face(BaseModel):
    """One face."""

    box: Annotated[list[float], Field(min_length=4, max_length=4)] = Field(
        description="Left, top, width and height in pixels, clipped to the picture."
    )
    detection_score: Annotated[float, Field(ge=0.0, le=1.0)]
    track: int | None = Field(description="Number of the face in a video; null for photos.")
    expression: str = Field(description="The expression that the face shows.")
    confidence: Annotated[float, Field(ge=0.0, le=1.0)]
    probabilities: dict[str, float] = Field(description="All expressions; they sum to 1.")
    landmarks: dict[str, Annotated[list[float], Field(min_length=2, max_length=2)]] | None = Field(
        None,
        description="Eyes, tip of the nose and corners of the mouth, x and y in pixels; right and "
        "left are the person's own. These and the fields below are absent where the detector "
        "gives no landmarks.",
    )
    interocular_px: float | None = Field(None, description="Distance of the eyes in pixels.")
    roll_deg: float | None = Field(None, description="Turned clockwise, as seen.")
    yaw_deg: float | None = Field(None, description="Turned to the right edge of the picture.")
    pitch_deg: float | None = Field(None, description="Turned up.")


class Result(_Strict):
    """What was found in one picture."""

    source: str = Field(description="Name of the file, as the client told it.")
    frame: int
    time_s: float
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    detector: str
    tta: str | None = None
    turned: Literal[90, 180, 270] | None = Field(
        None, description="Degrees by which it was turned; boxes are in pixels of it as it came."
    )
    faces: list[Face] = Field(description="From left to right; empty where there are none.")


class ProblemDetails(BaseModel):
    """Problem details, RFC 9457; further members say more."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str


class PictureProblem(ProblemDetails):
    """Why one picture of several has no result."""

    source: str


class Results(_Strict):
    """One result or problem per picture, in the order in which they came."""

    results: list[Result | PictureProblem]
    model: str
    mien: str = Field(description="Version of mien.")


class Model(_Strict):
    """What answers."""

    name: str
    labels: list[str]
    licence: str
    detector: str


class Models(_Strict):
    """The models of this service."""

    models: list[Model]
    mien: str


class Job(_Strict):
    """A video and what became of it."""

    id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    state: Literal["waiting", "running", "done", "failed"]
    source: str = Field(description="Name of the file, as the client told it.")
    frames_done: int
    frames_total: int | None = Field(description="As the file announces it; may be wrong.")
    reason: str | None = Field(description="Why it failed.")
    files: list[str] = Field(description="What can be fetched below this address.")


class Health(_Strict):
    """Whether the service is there."""

    status: Literal["ok"]


def described(schema: type[BaseModel], what: str, **more: Any) -> dict[str, Any]:
    """An answer in the description."""
    return {"model": schema, "description": what, **more}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Answers with problem details in the description."""
    content = {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    }
    retry = {
        "Retry-After": {
            "description": "Seconds after which there should be room.",
            "schema": {"type": "integer"},
        }
    }
    return {
        status: {
            "description": _MEANING.get(status, "Problem"),
            "content": content,
            **({"headers": retry} if status == 503 else {}),
        }
        for status in statuses
    }


_MEANING = {
    400: "The request is malformed.",
    401: "The token is missing or another.",
    403: "The page that sent it is not allowed to.",
    404: "There is no such thing.",
    408: "The body came too slowly.",
    409: "It is not done, or it failed.",
    413: "The body, a picture or their number is above the limit.",
    415: "The body is of another media type.",
    421: "The service is not called by that name.",
    422: "A value, or every picture, is none.",
    503: "There is no room now.",
    507: "The disk is full.",
}
