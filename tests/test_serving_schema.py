"""The service against its own description: whatever Schemathesis makes of it, seeded."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from mien.serving.settings import Limits
from picture_factory import encode, gradient
from serving_factory import Running, photo, running
from video_factory import make_clip

_SEED = 20_261_127
_PICTURES = [photo(0), photo(1), encode(gradient(), "PNG"), encode(gradient(20, 20), "WEBP")]
_CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.positive_data_acceptance,
    checks.negative_data_rejection,
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    clip = make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 2).read_bytes()
    # To the description a picture is any bytes; to the service it is not.
    schemathesis.openapi.media_type("image/*", st.sampled_from(_PICTURES))
    schemathesis.openapi.media_type("video/*", st.just(clip))
    schemathesis.openapi.format("binary", st.sampled_from(_PICTURES))
    limits = Limits(waiting_videos=10_000, kept_videos=2)
    with running(tmp_path_factory.mktemp("serving"), limits=limits) as started:
        yield started


def check_all(service: Running, n_examples: int) -> dict[str, set[int]]:
    """Send what fits the description and what does not; which route answered with what."""
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{service.client.port}/openapi.json")
    answered: dict[str, set[int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in schemathesis.GenerationMode:
            try:
                check_one(operation, mode, n_examples, answered)
            except Unsatisfiable:
                # There is no invalid request to a route that takes nothing.
                assert mode is schemathesis.GenerationMode.NEGATIVE
    return answered


def check_one(
    operation: Any,
    mode: schemathesis.GenerationMode,
    n_examples: int,
    answered: dict[str, set[int]],
) -> None:
    """One route: no 5xx, no answer that the description does not know, and nothing valid refused
    nor anything invalid accepted."""

    @seed(_SEED)
    @settings(
        max_examples=n_examples,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        response = case.call(timeout=60)
        answered.setdefault(operation.label, set()).add(response.status_code)
        case.validate_response(response, checks=_CHECKS)

    check()


def test_the_service_keeps_its_description(service: Running):
    answered = check_all(service, 25)
    assert len(answered) == 12, answered
    assert answered["POST /v1/recognize"] >= {200, 422}
    assert 202 in answered["POST /v1/videos"]


@pytest.mark.slow
def test_the_service_keeps_its_description_at_length(service: Running):
    assert len(check_all(service, 200)) == 12
