"""Pictures of one request: read, recognised and written as JSON by the threads of the pool."""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter

from mien.errors import ImageTooLargeError, SourceError
from mien.images import read_image
from mien.outputs.rows import json_line
from mien.recognition.recognizer import Recognizer
from mien.samples import Image
from mien.serving.bodies import Part
from mien.serving.engine import Engine
from mien.serving.metrics import Metrics
from mien.serving.pool import Pool
from mien.serving.problems import Problem, internal

LANE = "photos"
"""Where photos wait for a thread."""

_log = logging.getLogger(__name__)


def decode(content: bytes | bytearray, max_pixels: int, metrics: Metrics) -> Image:
    """Read a picture; by a thread of the pool.

    Args:
        content: the file's bytes.
        max_pixels: width times height above which it is refused by its header.
        metrics: told how long it took.

    Raises:
        Problem: it is too large, damaged, or no picture.
    """
    try:
        with metrics.timed("decoding"):
            return read_image(bytes(content), name="the picture", max_pixels=max_pixels)
    except ImageTooLargeError as error:
        detail = f"the picture has more than the limit of {max_pixels:,} pixels"
        raise Problem(413, "picture-too-large", detail) from error
    except SourceError as error:
        raise Problem(422, "not-a-picture", str(error)) from error
    except MemoryError as error:
        detail = "the picture needs more memory than there is"
        raise Problem(413, "picture-too-large", detail) from error
    except Exception as error:
        # Decoders raise what they like where a file is damaged.
        _log.warning("a decoder raised %s", type(error).__name__)
        raise Problem(422, "not-a-picture", "the picture is damaged") from error


class Photos:
    """Recognises pictures.

    Args:
        engine: what recognises.
        pool: whose threads do it.
        n_at_a_time: pictures of one request that are worked on at the same time.
        max_pixels: as in `decode`.
    """

    def __init__(self, engine: Engine, pool: Pool, n_at_a_time: int, max_pixels: int) -> None:
        self._engine = engine
        self._pool = pool
        self._n_at_a_time = n_at_a_time
        self._max_pixels = max_pixels

    async def recognize(
        self, pictures: Sequence[Part], recognizer: Recognizer, is_wanted: Callable[[], bool]
    ) -> tuple[list[str | Problem], float]:
        """Recognise the pictures of one request.

        Args:
            pictures: their files; emptied as they are done.
            recognizer: with the request's options.
            is_wanted: whether the client still waits.

        Returns:
            A line of JSON or a problem for each, and the seconds of work in them all.

        Raises:
            AbandonedError: the client hung up.
        """
        found: list[str | Problem] = [internal()] * len(pictures)
        rest = iter(range(len(pictures)))
        taken_s = [0.0]

        async def go_through() -> None:
            for index in rest:
                found[index], seconds = await self._pool.run(
                    LANE, partial(self._one, pictures[index], recognizer), is_wanted
                )
                taken_s[0] += seconds

        if len(pictures) == 1:
            await go_through()
        else:
            n_chains = min(self._n_at_a_time, len(pictures))
            await asyncio.gather(*(go_through() for _ in range(n_chains)))
        return found, taken_s[0]

    def _one(self, picture: Part, recognizer: Recognizer) -> tuple[str | Problem, float]:
        """Work on one picture; by a thread of the pool."""
        begin_s = perf_counter()
        n_pixels = 0
        try:
            content, picture.content = picture.content, bytearray()
            image_rgb = decode(content, self._max_pixels, self._engine.metrics)
            n_pixels = image_rgb.shape[0] * image_rgb.shape[1]
            result = recognizer.recognize(image_rgb, source=picture.name)
            del content, image_rgb
            self._engine.metrics.faces.inc(len(result.faces))
            return json_line(result), perf_counter() - begin_s
        except Problem as problem:
            return problem, perf_counter() - begin_s
        except Exception:
            _log.exception("recognising a picture failed")
            return internal(), perf_counter() - begin_s
        finally:
            self._engine.rest_after(n_pixels)


def as_body(
    pictures: Sequence[Part], found: Sequence[str | Problem], model: str, version: str
) -> bytes:
    """The answer to a request with pictures.

    Args:
        pictures: what was asked.
        found: a line of JSON or a problem for each.
        model: name of the model.
        version: of mien.

    Raises:
        Problem: none of them has a result; with the problem of each where there are several.
    """
    problems = [item for item in found if isinstance(item, Problem)]
    if len(problems) == len(found):
        worst = max(problems, key=lambda problem: problem.status)
        if len(found) == 1:
            raise worst
        raise Problem(
            worst.status,
            "no-picture",
            f"none of the {len(found)} pictures can be recognised",
            results=[
                {"source": picture.name, **problem.as_dict()}
                for picture, problem in zip(pictures, problems, strict=True)
            ],
        )
    rows = [
        json.dumps({"source": picture.name, **item.as_dict()}, ensure_ascii=False)
        if isinstance(item, Problem)
        else item
        for picture, item in zip(pictures, found, strict=True)
    ]
    rest = f'"model": {json.dumps(model)}, "mien": {json.dumps(version)}'
    return f'{{"results": [{", ".join(rows)}], {rest}}}'.encode()
