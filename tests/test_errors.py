"""Messages: one printable line of bounded length, whatever a file put into them."""

import json
import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest

from mien import errors
from mien.cli.console import warn
from mien.errors import (
    MAX_MESSAGE,
    DatasetError,
    MienError,
    MissingExtraError,
    needs_extra,
    one_line,
)


def kinds() -> list[type[MienError]]:
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return [kind for kind in found if issubclass(kind, MienError)]


@pytest.mark.parametrize("kind", kinds())
def test_no_message_is_long_or_breaks_the_terminal(kind: type[MienError]) -> None:
    member = "x\x1b[31m\n\u202e" * 20_000
    message = str(kind(f"/data/archive.zip: {member} is damaged (it breaks off); get a copy"))
    assert len(message) <= MAX_MESSAGE < 300
    assert message.isprintable()
    assert message.startswith("/data/archive.zip: x\\x1b[31m ")
    assert message.endswith(" is damaged (it breaks off); get a copy")


def test_what_is_short_and_printable_stays() -> None:
    message = "Fotos/Größe 1\u00a0m/写真.jpg is empty (0 bytes); get a complete copy"
    assert str(DatasetError(message)) == message
    assert one_line(one_line(message)) == message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a b"),
        ("a\r\nb\u2028c", "a b c"),
        ("tab\there", "tab\\there"),
        ("bell\x07", "bell\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("gpj.\u202eevil", "gpj.\\u202eevil"),
        ("not utf-8: \udcff", "not utf-8: \\udcff"),
    ],
)
def test_escapes(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_long_path_gives_way_before_the_words() -> None:
    path = "/home/" + "long/" * 100 + "photo.jpg"
    words = "is not a picture that can be read; use JPEG, PNG, WebP, HEIC, AVIF or GIF"
    message = str(MienError(f"{path} {words}"))
    assert message.startswith("/home/long/")
    assert message.endswith(f"photo.jpg {words}")
    assert len(message) == MAX_MESSAGE


def test_many_words_lose_the_middle() -> None:
    message = str(MienError("where: " + "word " * 1000 + "what to do"))
    assert message.startswith("where: word")
    assert message.endswith("what to do")
    assert len(message) == MAX_MESSAGE


def test_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(DatasetError("a\x00b" * 1000)))
    assert isinstance(error, DatasetError)
    assert len(str(error)) == MAX_MESSAGE


def test_the_command_prints_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    warn("a\x1b[2J\nb" * 1000)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mien: a\\x1b[2J b")
    assert len(line) < 300
    assert line.isprintable()


def test_an_extra_is_named_as_mien_was_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "pyproject.toml").touch()
    told: dict[str, str | None] = {"direct_url.json": None}
    monkeypatch.setattr(
        "importlib.metadata.distribution", lambda name: SimpleNamespace(read_text=told.get)
    )

    def hint() -> str:
        with pytest.raises(MissingExtraError) as raised, needs_extra("report"):
            import no_such_library  # noqa: F401
        return str(raised.value).partition("pip install ")[2]

    assert hint() == "'mien[report]'"
    told["direct_url.json"] = json.dumps({"url": checkout.as_uri()})
    assert hint() == f"'{checkout}[report]'"
    for other in ("https://example.org/mien.zip", (tmp_path / "gone").as_uri()):
        told["direct_url.json"] = json.dumps({"url": other})
        assert hint() == "'mien[report]'"
