"""Fonts: letters are drawn or known to be missing, never boxes."""

from pathlib import Path

import pytest
from PIL import ImageFont, features

from mien.drawing import fonts
from mien.drawing.fonts import built_in_font, covers, font_for

CYRILLIC = "Счастье"
ARABIC = "سعيد"


@pytest.fixture
def machine(monkeypatch):
    """Let the machine have other fonts than it has."""

    def have(*files):
        monkeypatch.setattr(fonts, "system_font_files", lambda: tuple(files))
        for cached in (fonts._known_files, fonts._file_for, fonts.font_for):
            cached.cache_clear()

    yield have
    monkeypatch.undo()
    for cached in (fonts._known_files, fonts._file_for, fonts.font_for):
        cached.cache_clear()


@pytest.fixture
def dejavu() -> Path:
    """DejaVu Sans as Matplotlib brings it: Latin, Cyrillic, Arabic, and no Chinese."""
    matplotlib = pytest.importorskip("matplotlib")
    return Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")


def test_latin_needs_no_font_of_the_machine(machine):
    machine(Path("/never/opened.ttf"))
    font = font_for("Happy #1 100%", 20.0)
    assert font is built_in_font(20.0)
    assert fonts._known_files.cache_info().currsize == 0


def test_other_scripts_without_any_font_have_none(machine):
    machine()
    assert font_for(CYRILLIC, 20.0) is None


def test_a_font_of_the_machine_that_has_the_letters(machine, dejavu):
    machine(dejavu)
    font = font_for(CYRILLIC, 20.0)
    assert font is not None and font.getname()[0] == "DejaVu Sans"
    assert font.size == 20.0
    assert font_for(f"{CYRILLIC} Happy", 20.0) is not None
    assert font_for("喜び", 20.0) is None


def test_broken_files_are_passed_over(machine, dejavu, tmp_path):
    broken = tmp_path / "a.ttf"
    broken.write_bytes(b"no font")
    machine(tmp_path / "gone.ttf", broken, dejavu)
    assert font_for(CYRILLIC, 20.0) is not None


def test_scripts_that_are_joined_need_raqm(machine, dejavu, monkeypatch):
    machine(dejavu)
    if features.check("raqm"):
        font = font_for(ARABIC, 20.0)
        assert font is not None
        joined = font.getlength(ARABIC)
        apart = sum(font.getlength(letter) for letter in ARABIC)
        assert joined < apart
    font_for.cache_clear()
    monkeypatch.setattr(fonts, "_can_shape", lambda: False)
    assert font_for(ARABIC, 20.0) is None
    assert font_for(CYRILLIC, 20.0) is not None


def test_blanks_and_variant_selectors_are_not_asked_for():
    assert covers(built_in_font(20.0), "a b\u00a0\u200d\ufe0f")
    assert not covers(built_in_font(20.0), "a喜")


def test_fonts_below_a_folder_plain_ones_first(tmp_path, monkeypatch):
    for name in ("x/Foo-Bold.ttf", "x/y/Foo.otf", "FooSans.TTC", "LastResort.otf", "note.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.setattr(fonts, "_folders", lambda: (tmp_path, tmp_path / "absent"))
    found = [path.name for path in fonts.system_font_files()]
    assert found == ["FooSans.TTC", "Foo.otf", "Foo-Bold.ttf"]


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_every_platform_has_folders(platform, monkeypatch):
    monkeypatch.setattr(fonts.sys, "platform", platform)
    assert len(fonts._folders()) >= 2


def test_this_machine_can_be_searched():
    for path in fonts.system_font_files()[:3]:
        assert path.is_file()
    assert isinstance(built_in_font(12.0), ImageFont.FreeTypeFont)
