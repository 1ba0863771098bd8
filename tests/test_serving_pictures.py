"""Pictures over HTTP: what is right comes back as in this process, what is wrong as a problem."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import mien
from mien.images import read_image
from mien.recognition.detectors.whole import Whole
from mien.recognition.recognizer import Recognizer
from mien.serving.settings import Limits
from picture_factory import encode, gradient, huge_png
from serving_factory import Client, Running, classifier, form, head, photo, read_answer, running

LIMITS = Limits(body_bytes=2_000_000, picture_pixels=1_000_000, body_s=5.0, pictures=4)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("serving"), limits=LIMITS) as started:
        yield started


@pytest.fixture
def client(service: Running) -> Client:
    return service.client


def expected(content: bytes, **options: object) -> dict[str, object]:
    recognizer = Recognizer(classifier(), Whole(), **options)
    return recognizer.recognize(read_image(content)).as_dict()


def test_a_picture_as_the_body(client: Client):
    answer = client.post("/v1/recognize", photo())
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {
        "results": [expected(photo())],
        "model": classifier().card.name,
        "mien": mien.__version__,
    }


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_other_kinds_of_files(client: Client, kind: str):
    content = encode(gradient(), kind)
    answer = client.post("/v1/recognize", content, f"image/{kind.lower()}")
    assert answer.json["results"] == [expected(content)]


def test_options_are_heeded(client: Client):
    answer = client.post("/v1/recognize?min_confidence=1&tta=flip", photo())
    (result,) = answer.json["results"]
    assert result == expected(photo(), min_confidence=1.0, tta="flip")
    assert result["faces"][0]["expression"] == "uncertain"
    assert result["tta"] == "flip"
    answer = client.post("/v1/recognize?rotate=90", photo())
    assert answer.json["results"] == [expected(photo(), rotate=90)]
    assert answer.json["results"][0]["turned"] == 90


def test_several_pictures_of_which_one_is_bad(client: Client):
    answer = client.form(
        "/v1/recognize",
        ("image", "one.jpg", photo(1)),
        ("image", "bad.jpg", photo()[:40]),
        ("image", "three.png", encode(gradient(), "PNG")),
    )
    assert answer.status == 200
    first, bad, third = answer.json["results"]
    assert first == {**expected(photo(1)), "source": "one.jpg"}
    assert third == {**expected(encode(gradient(), "PNG")), "source": "three.png"}
    assert bad["source"] == "bad.jpg"
    assert bad["status"] == 422
    assert bad["type"] == "urn:mien:problem:not-a-picture"


def test_where_no_picture_is_good_the_answer_is_a_problem(client: Client):
    answer = client.form("/v1/recognize", ("image", "a", b"a"), ("image", "b", huge_png()))
    results = answer.problem(422, "no-picture")["results"]
    assert [item["status"] for item in results] == [422, 413]


def test_an_alpha_channel_and_a_grey_picture(client: Client):
    transparent = encode(np.dstack([gradient(), np.full((40, 60), 128, np.uint8)]), "PNG")
    grey = encode(gradient()[..., 0], "PNG")
    answer = client.form("/v1/recognize", ("image", "", transparent), ("image", "", grey))
    assert answer.json["results"] == [expected(transparent), expected(grey)]


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        (b"", 422, "not-a-picture"),
        (b"no picture", 422, "not-a-picture"),
        (photo()[:200], 422, "not-a-picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", 422, "not-a-picture"),
        (huge_png(), 413, "picture-too-large"),
        (encode(np.zeros((1001, 1000, 3), np.uint8), "PNG"), 413, "picture-too-large"),
        (bytes(2_000_001), 413, "body-too-large"),
    ],
)
def test_what_is_no_picture(client: Client, content: bytes, status: int, kind: str):
    client.post("/v1/recognize", content).problem(status, kind)
    assert client.post("/v1/recognize", photo()).json["results"] == [expected(photo())]


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json", "video/mp4"])
def test_what_is_no_body_of_pictures(client: Client, kind: str):
    answer = client.request(
        "POST", "/v1/recognize", photo(), {"Content-Type": kind} if kind else {}
    )
    answer.problem(415, "media-type")
    assert answer.headers["accept-post"] == "image/*, multipart/form-data"


@pytest.mark.parametrize(
    ("body", "kind", "status", "problem"),
    [
        (b"x", "multipart/form-data", 400, "bad-form"),
        (b"x", "multipart/form-data; boundary=cut", 400, "bad-form"),
        (form(("image", "a", photo()))[0][:-9], form()[1], 400, "bad-form"),
        (form()[0], form()[1], 422, "no-picture"),
        (form(("file", "a", photo()))[0], form()[1], 422, "unknown-field"),
        (form(*[("image", "a", b"x")] * 1000)[0], form()[1], 422, "too-many-pictures"),
        (b"--cut\r\nX: y\r\n\r\nz\r\n--cut--\r\n", form()[1], 400, "bad-form"),
        (b"--cut\r\n" + b"A: b\r\n" * 5000 + b"\r\nz\r\n--cut--\r\n", form()[1], 400, "bad-form"),
        (b"--cut\r\nA: " + bytes(99_999) + b"\r\n\r\nz\r\n--cut--\r\n", form()[1], 400, "bad-form"),
    ],
)
def test_bad_forms(client: Client, body: bytes, kind: str, status: int, problem: str):
    client.post("/v1/recognize", body, kind).problem(status, problem)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/abs/olute.jpg", "olute.jpg"),
        ("..", ".."),
        ("a\tb", "ab"),
        ("n" * 400, "n" * 200),
        ("Gesicht 😀.jpg", "Gesicht 😀.jpg"),
    ],
)
def test_names_of_files_are_repeated_and_nothing_else(client: Client, name: str, source: str):
    answer = client.form("/v1/recognize", ("image", name, photo()))
    assert answer.json["results"][0]["source"] == source


@pytest.mark.parametrize(
    "query",
    [
        "min_confidence=1.1",
        "min_confidence=nan",
        "min_confidence=",
        "tta=ten",
        "colour=x",
        "rotate=45",
    ],
)
def test_bad_options(client: Client, query: str):
    details = client.post(f"/v1/recognize?{query}", photo()).problem(422, "bad-value")
    assert query.partition("=")[0] in details["detail"]
    assert details["errors"]


def test_a_body_in_chunks(client: Client):
    content = photo()
    pieces = (content[at : at + 100] for at in range(0, len(content), 100))
    answer = client.request("POST", "/v1/recognize", pieces, {"Content-Type": "image/jpeg"})
    assert answer.json["results"] == [expected(content)]


def test_chunks_without_end_are_refused_at_the_limit(client: Client):
    with client.socket() as connection:
        connection.sendall(head("/v1/recognize", None))
        piece = b"10000\r\n" + bytes(0x10000) + b"\r\n"
        for _ in range(2_000_000 // 0x10000 + 2):
            connection.sendall(piece)
        read_answer(connection).problem(413, "body-too-large")


def test_a_length_above_the_limit_is_refused_before_the_body(client: Client):
    with client.socket() as connection:
        connection.sendall(head("/v1/recognize", 2_000_001))
        read_answer(connection).problem(413, "body-too-large")


def test_a_body_that_does_not_come(tmp_path: Path):
    with running(tmp_path, limits=Limits(body_s=0.3)) as service, service.client.socket() as slow:
        slow.sendall(head("/v1/recognize", 100))
        read_answer(slow).problem(408, "body-too-slow")
        assert service.client.metric("mien_queue_depth") == 0


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/v1/recognize", 405, "method-not-allowed"),
        ("PUT", "/healthz", 405, "method-not-allowed"),
        ("GET", "/v1/live", 426, "websocket"),
        ("GET", "/docs/", 404, "not-found"),
        ("GET", "//etc/passwd", 404, "not-found"),
        ("GET", "/v1/videos/../../etc/passwd", 404, "not-found"),
        ("GET", f"/v1/videos/{'0' * 32}", 404, "no-such-video"),
        ("GET", "/v1/videos/zz", 422, "bad-value"),
    ],
)
def test_errors_are_problem_details(client: Client, method: str, path: str, status: int, kind: str):
    answer = client.request(method, path)
    answer.problem(status, kind)
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/models", "/docs", "/nothing"])
def test_head_is_get_without_the_body(client: Client, path: str):
    asked, got = client.request("HEAD", path), client.get(path)
    assert asked.status == got.status
    assert asked.body == b""
    for header in ("content-type", "content-length"):
        assert asked.headers[header] == got.headers[header]


def test_what_is_not_http(client: Client):
    with client.socket() as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00 no HTTP\r\n\r\n")
        read_answer(connection).problem(400, "bad-request")


class Failing(Whole):
    """A detector that fails."""

    def detect(self, image_rgb: np.ndarray) -> tuple[()]:
        raise RuntimeError("the detector broke")


def test_what_nobody_expected_is_a_problem_too(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with running(tmp_path, detector=Failing()) as service:
        answer = service.client.post("/v1/recognize", photo())
        answer.problem(500, "internal")
        assert b"broke" not in answer.body
        assert service.client.get("/healthz").status == 200
    assert "recognising a picture failed" in caplog.text


def test_every_answer_has_its_headers(client: Client):
    answers = [client.get("/healthz"), client.get("/nothing"), client.post("/v1/recognize", b"x")]
    for answer in [*answers, client.post("/v1/recognize", photo()), client.get("/docs")]:
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_the_page_loads_nothing(client: Client):
    answer = client.get("/docs")
    html = answer.body.decode()
    assert "POST /v1/recognize" in html
    assert "<script" not in html
    assert "src=" not in html
    assert html.count("<style>") == answer.headers["content-security-policy"].count("sha256-") == 1
    addresses = [part.split("/")[0] for part in html.split("://")[1:]]
    assert {address.split(":")[0] for address in addresses} == {"127.0.0.1"}


def test_the_description_says_what_there_is(client: Client):
    description = client.get("/openapi.json").json
    assert set(description["paths"]) == {
        "/v1/recognize",
        "/v1/videos",
        "/v1/videos/{job_id}",
        *(
            f"/v1/videos/{{job_id}}/{name}"
            for name in ("faces.jsonl", "faces.csv", "segments.vtt", "annotated.mp4")
        ),
        "/v1/models",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    options = description["paths"]["/v1/recognize"]["post"]["parameters"]
    ranges = {item["name"]: item["schema"] for item in options}
    assert (ranges["min_confidence"]["minimum"], ranges["min_confidence"]["maximum"]) == (0, 1)
    assert ranges["tta"]["enum"] == ["none", "flip"]
    assert "HTTPValidationError" not in json.dumps(description)


def test_models_and_metrics(client: Client):
    (model,) = client.get("/v1/models").json["models"]
    assert model["labels"] == list(classifier().label_set.keys)
    assert model["detector"] == "whole"
    before = client.metric('mien_stage_seconds_count{stage="detecting"}')
    faces = client.metric("mien_faces_total")
    client.form("/v1/recognize", ("image", "", photo()), ("image", "", photo(1)))
    assert client.metric('mien_stage_seconds_count{stage="detecting"}') == before + 2
    assert client.metric("mien_faces_total") == faces + 2
    assert client.metric("mien_queue_depth") == 0
    assert client.metric('mien_requests_total{code="200",route="POST /v1/recognize"}') >= 1
    assert client.metric('mien_jobs{state="running"}') == 0


def test_methods_that_are_none_are_counted_together(client: Client):
    for number in range(3):
        client.request(f"X{number}", "/healthz").problem(405, "method-not-allowed")
    lines = client.get("/metrics").body.decode()
    assert "X1" not in lines
    assert 'mien_requests_total{code="405",route="other"}' in lines


def test_connections_are_used_again(client: Client):
    with client.socket() as connection:
        for seed in range(3):
            content = photo(seed)
            connection.sendall(head("/v1/recognize", len(content)) + content)
            assert read_answer(connection).json["results"] == [expected(content)]
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert read_answer(connection).status == 200
