"""`mien notice`: the sign in English and in other languages, and files that are no texts of one."""

import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from command_line import assert_fails_on_one_line, mien
from mien.cli import console
from mien.errors import SourceError
from mien.reports.notice import BLANK, PLACES, NoticeTexts, notice_of, read_texts, template
from mien.workflows.cards import notice

GERMAN = {
    "language": "de",
    "direction": "ltr",
    "title": "Hier werden Gesichtsausdrücke erkannt",
    "what": "Ein Programm sucht in den Bildern dieser Kamera Gesichter.",
    "limits": "Es weiß nicht, was jemand fühlt, und es irrt sich.",
    "operator": "Verantwortlich: {operator}",
    "purpose": "Zweck: {purpose}",
    "kept": "Gespeichert wird: {kept}",
    "contact": "Fragen: {contact}",
    "law": "Verordnung (EU) 2024/1689, Artikel 50 Absatz 3.",
}


def write(path: Path, texts: dict[str, str]) -> Path:
    lines = [f'{name} = "{text}"' for name, text in texts.items()]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_the_sign_says_what_the_law_wants():
    text = notice().to_text()
    assert "Article 50(3)" in text and "2024/1689" in text
    assert "does not know what a person feels" in text
    assert text.count(BLANK) == len(PLACES)
    assert notice().open_places == PLACES


def test_what_is_given_is_put_in():
    made = notice(operator=" Museum\n of  Play ", purpose="{kept}", kept="nothing", contact="a@b.c")
    text = made.to_text()
    assert "Responsible: Museum of Play\n" in text
    # What people say is no place of its own.
    assert "Purpose: {kept}\n" in text
    assert BLANK not in text and made.open_places == ()


def test_the_command_prints_the_sign_and_what_is_left_open(tmp_path: Path):
    done = mien("notice", "--operator", "Museum", "--kept", "nothing", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == notice(operator="Museum", kept="nothing").to_text()
    assert "to be filled in: purpose, contact" in done.stderr
    assert "Article 5(1)(f)" in " ".join(done.stderr.split())


def test_the_template_is_the_english_sign(tmp_path: Path):
    printed = mien("notice", "--template", cwd=tmp_path).stdout
    assert printed == template()
    assert tomllib.loads(printed) == asdict(NoticeTexts())
    (tmp_path / "t.toml").write_text(printed, encoding="utf-8")
    assert read_texts(tmp_path / "t.toml") == NoticeTexts()


def test_any_language_given_as_a_file(tmp_path: Path):
    write(tmp_path / "de.toml", GERMAN)
    done = mien("notice", "--texts", "de.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Gespeichert wird: _" in done.stdout
    assert done.stdout.startswith("HIER WERDEN GESICHTSAUSDRÜCKE ERKANNT")
    assert done.stderr.startswith("\n")  # notes do not run on after the sign
    done = mien("notice", "--texts", "de.toml", "--out", "new/s.html", cwd=tmp_path)
    assert done.stdout == "" and "written: new/s.html\n" in done.stderr
    (tmp_path / "new" / "s.html").rename(tmp_path / "s.html")
    page = (tmp_path / "s.html").read_text("utf-8")
    assert '<html lang="de">' in page and "fühlt" in page
    write(tmp_path / "ar.toml", GERMAN | {"language": "ar", "direction": "rtl"})
    assert '<html lang="ar" dir="rtl">' in notice(texts=tmp_path / "ar.toml").to_html()


def test_words_of_the_operator_are_no_html(tmp_path: Path):
    page = notice(operator="<script>alert(1)</script>", out=tmp_path / "s.html").to_html()
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert (tmp_path / "s.html").read_text("utf-8") == page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"operator": None}, "no text 'operator'"),
        ({"more": "x"}, "text 'more', which no sign has"),
        ({"operator": "Wer?"}, "'operator' must have the place {operator} once"),
        ({"operator": "{operator} {operator}"}, "'operator' must have the place {operator} once"),
        ({"operator": "{contact}"}, "'operator' must have the place {operator} once"),
        ({"title": "{operator}"}, "'title' must have no place"),
        ({"title": " "}, "1 to 1000 characters"),
        ({"title": "x" * 1001}, "1 to 1000 characters"),
        ({"language": "Deutsch?"}, "no tag such as"),
        ({"direction": "up"}, "must be 'ltr' or 'rtl'"),
    ],
)
def test_texts_of_no_sign_are_refused_on_one_line(
    tmp_path: Path, change: dict[str, str | None], said: str
):
    texts = {name: text for name, text in (GERMAN | change).items() if text is not None}
    write(tmp_path / "t.toml", texts)
    done = mien("notice", "--texts", "t.toml", cwd=tmp_path)
    assert_fails_on_one_line(done, "t.toml", said, "--template")


@pytest.mark.parametrize(
    "content", [b"title = ", b"\xff\xfe", b"title = 3", b"a = " + b"[" * 3000, b""]
)
def test_damaged_files_are_refused(tmp_path: Path, content: bytes):
    (tmp_path / "t.toml").write_bytes(content)
    assert_fails_on_one_line(mien("notice", "--texts", "t.toml", cwd=tmp_path), "t.toml")


def test_other_bad_input(tmp_path: Path):
    (tmp_path / "t.toml").write_bytes(b"#" * (65 << 10))
    with pytest.raises(SourceError, match="larger than 64 kB"):
        read_texts(tmp_path / "t.toml")
    assert_fails_on_one_line(mien("notice", "--texts", "no.toml", cwd=tmp_path), "no.toml")
    assert_fails_on_one_line(mien("notice", "--out", "s.pdf", cwd=tmp_path), ".html or .txt")
    with pytest.raises(ValueError, match="more than 400"):
        notice_of(NoticeTexts(), {"kept": "x" * 401})
    with pytest.raises(ValueError, match="no place"):
        notice_of(NoticeTexts(), {"who": "x"})
    done = mien("notice", "--kept", "x" * 401, cwd=tmp_path)
    assert done.returncode == 2 and "more than 400" in done.stderr


def test_each_remark_is_one_line_in_a_narrow_window(tmp_path, monkeypatch):
    monkeypatch.setattr(console.errors, "width", 80)
    done = mien("notice", "--out", "s.txt", cwd=tmp_path)
    assert done.returncode == 0
    beginnings = [line.split(":")[0] for line in done.stderr.splitlines()]
    assert beginnings == ["written", "to be filled in", "a sign does not allow everything"]
