"""The command as people run it: its exit code, stdout and stderr."""

import csv
import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import PIL.Image
import pytest
import typer
from typer.testing import CliRunner

import command_line
import mien
from heif_factory import heic
from mien.cli.app import COMMANDS, _guarded, app
from mien.labels import FER2013, UNCERTAIN
from onnx_factory import make_model_bytes, write_model
from picture_factory import encode, gradient, huge_png, noise

RUN = "from mien.cli.app import main; main()"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model, a picture and an empty cache."""
    folder = tmp_path_factory.mktemp("cli")
    write_model(folder / "tiny.onnx")
    (folder / "a.png").write_bytes(encode(gradient(200, 300), "PNG"))
    return folder


def mien_command(place, *arguments, stdout=subprocess.PIPE):
    """Inside this process, where nothing is said about stdout."""
    if stdout is subprocess.PIPE:
        done = command_line.mien(*arguments, cwd=place)
        streams = done.stdout.encode(), done.stderr.encode()
        return subprocess.CompletedProcess(done.args, done.returncode, *streams)
    environment = {**os.environ, "MIEN_CACHE": str(place / "cache"), "COLUMNS": "200"}
    environment.pop("FORCE_COLOR", None)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN, *map(str, arguments)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=place,
        env=environment,
        timeout=60,
        check=False,
    )


def recognize(place, *arguments, detector="whole", **options):
    options.setdefault("stdout", subprocess.PIPE)
    return mien_command(
        place, "recognize", *arguments, "--model", "tiny.onnx", "--detector", detector, **options
    )


def lines(content):
    return content.decode().splitlines()


def assert_fails_on_one_line(done, *words):
    assert done.returncode == 1
    stderr = lines(done.stderr)
    assert len(stderr) == 1, stderr
    assert stderr[0].startswith("mien: ")
    for word in words:
        assert word in stderr[0]


def test_pictures_are_turned_as_told(place):
    done = recognize(place, "a.png", "--json", "--rotate", "90")
    assert (done.returncode, done.stderr) == (0, b"")
    result = json.loads(done.stdout)
    assert (result["width"], result["height"], result["turned"]) == (300, 200, 90)
    assert result["faces"][0]["box"] == [50.0, 0.0, 200.0, 200.0]
    assert "turned" not in json.loads(recognize(place, "a.png", "--json").stdout)
    assert recognize(place, "a.png", "--rotate", "45").returncode == 2


def test_a_photo_on_its_head_is_turned_and_one_line_says_so(tmp_path, shared_folder):
    write_model(tmp_path / "tiny.onnx")
    yunet = shared_folder / "models" / "face_detection_yunet_2023mar.onnx"
    assert mien_command(tmp_path, "fetch", "yunet", "--from", yunet).returncode == 0
    with PIL.Image.open(shared_folder / "media" / "multi_face.jpg") as image:
        image.rotate(180).save(tmp_path / "over.png")
    done = recognize(tmp_path, "over.png", "--json", detector="yunet")
    line = "over.png: no upright face found; 5 found after turning by 180 degrees"
    assert lines(done.stderr) == [f"mien: {line}"]
    assert json.loads(done.stdout)["turned"] == 180
    assert len(json.loads(done.stdout)["faces"]) == 5
    done = recognize(tmp_path, "over.png", "--json", "--rotate", "0", detector="yunet")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "turned" not in json.loads(done.stdout)


def test_photos_are_searched_at_the_side_that_is_told(place, shared_folder):
    photo = shared_folder / "media" / "multi_face.jpg"
    for options, n_faces in (([], 4), (["--search-side", 120], 0)):
        done = recognize(place, photo, "--json", *options, detector="haar")
        assert done.returncode == 0
        assert len(json.loads(done.stdout)["faces"]) == n_faces


def test_json_is_one_line_per_picture_and_nothing_else(place):
    done = recognize(place, "a.png", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    (line,) = lines(done.stdout)
    result = json.loads(line)
    assert list(result) == [*("source", "frame", "time_s", "width", "height", "detector", "faces")]
    assert (result["source"], result["width"], result["height"]) == ("a.png", 300, 200)
    (face,) = result["faces"]
    assert face["box"] == [50.0, 0.0, 200.0, 200.0]
    assert list(face["probabilities"]) == list(FER2013.keys)
    assert sum(face["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)
    assert face["confidence"] == face["probabilities"][face["expression"]]
    assert recognize(place, "a.png", "--json").stdout == done.stdout


def test_a_picture_without_a_face_is_no_failure(place):
    done = recognize(place, "a.png", "--json", detector="haar")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["faces"] == []
    done = recognize(place, "a.png", detector="haar")
    assert done.returncode == 0
    assert b"no face found" in done.stdout


def test_table_for_people(place):
    done = recognize(place, "a.png")
    assert done.returncode == 0
    assert any(label.display_name in done.stdout.decode() for label in FER2013)
    assert b"50 0 200 200" in done.stdout


def test_folder_with_table_and_copies(place, tmp_path):
    for name in ("in/b.png", "in/sub/a.png", "in/[red]x.gif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(encode(noise(), Path(name).suffix[1:].upper()))
    out, table = tmp_path / "out", tmp_path / "t.csv"
    done = recognize(place, tmp_path / "in", "--out", out, "--table", table)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"[red]x.gif" in done.stdout
    copies = sorted(str(path.relative_to(out)) for path in out.rglob("*.*"))
    assert copies == ["[red]x.png", "b.png", "sub/a.png"]
    with PIL.Image.open(out / "b.png") as picture:
        assert picture.size == (160, 120)
    with table.open(newline="") as stream:
        assert [Path(row["source"]).name for row in csv.DictReader(stream)] == [
            *("[red]x.gif", "b.png", "a.png")
        ]


def test_one_annotated_file(place, tmp_path):
    out = tmp_path / "marked.jpg"
    assert recognize(place, "a.png", "--out", out).returncode == 0
    with PIL.Image.open(out) as picture:
        assert picture.format == "JPEG"


BAD_PICTURES = {
    "empty.jpg": b"",
    "text.png": b"hello",
    "broken.jpg": encode(noise(), "JPEG")[:3000],
    "huge.png": huge_png(),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_bad_pictures(place, name):
    (place / name).write_bytes(BAD_PICTURES[name])
    done = recognize(place, name, "--json")
    assert_fails_on_one_line(done, name)
    assert done.stdout == b""


def test_the_limit_of_pixels_can_be_moved(place):
    done = recognize(place, "a.png", "--max-pixels", "59999")
    assert_fails_on_one_line(done, "--max-pixels 60000")
    assert recognize(place, "a.png", "--max-pixels", "60000").returncode == 0


def test_the_others_are_done_all_the_same(place):
    (place / "zero.png").write_bytes(b"")
    done = recognize(place, "zero.png", "a.png", "missing.png", "--json")
    assert done.returncode == 1
    assert [json.loads(line)["source"] for line in lines(done.stdout)] == ["a.png"]
    stderr = lines(done.stderr)
    assert len(stderr) == 2
    assert any("zero.png" in line for line in stderr)
    assert any("missing.png" in line for line in stderr)


def test_bad_sources(place, tmp_path):
    assert_fails_on_one_line(recognize(place, "none.png"), "none.png")
    assert_fails_on_one_line(recognize(place, tmp_path), "no pictures")
    assert_fails_on_one_line(recognize(place, "two\nlines.png"), "two lines.png")


@pytest.mark.parametrize(
    ("model", "word"),
    [("none.onnx", "none.onnx"), ("a.png", "not a model"), ("zero.onnx", "not a working ONNX")],
)
def test_bad_models(place, model, word):
    (place / "zero.onnx").write_bytes(b"")
    done = mien_command(place, "recognize", "a.png", "--model", model, "--detector", "whole")
    assert_fails_on_one_line(done, word)


def test_an_address_is_no_file(place):
    done = recognize(place, "http://x.y/a.jpg")
    assert_fails_on_one_line(done, "http://x.y/a.jpg is an address; download the picture")


def test_another_ending_is_no_folder(place):
    assert_fails_on_one_line(recognize(place, "a.png", "--out", "y.gif"), "y.gif/ for a folder")
    assert not (place / "y.gif").exists()
    assert recognize(place, "a.png", "--out", "y.foo/").returncode == 0
    assert (place / "y.foo" / "a.png").is_file()


def test_results_go_to_stdout_below_a_bar(place, monkeypatch, capsys):
    from rich.console import Console

    from mien.cli import console

    monkeypatch.setattr(console, "errors", Console(stderr=True, force_terminal=True))
    with console.progress_bar("working") as show:
        show(1, 2)
        console.print_line("result")
    shown = capsys.readouterr()
    assert shown.out == "result\n"
    assert "working" in shown.err


def test_narrow_windows_cut_nothing(place, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(place)
    name = "a_name_that_is_much_too_long_for_its_column_in_a_window_of_80_columns.png"
    Path(name).write_bytes(Path("a.png").read_bytes())
    script = f"import os; os.environ['COLUMNS'] = '80'; {RUN}"
    options = ("--model", "tiny.onnx", "--detector", "whole")
    done = subprocess.run(
        [sys.executable, "-c", script, "recognize", name, *options],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = done.stdout.splitlines()
    assert max(map(len, rows)) <= 80
    width = rows[0].index("face")
    assert "".join(row[:width].strip() for row in rows[1:]) == name
    assert " 0%" not in done.stdout


def test_bad_outputs(place, tmp_path):
    (tmp_path / "file").write_text("")
    assert_fails_on_one_line(recognize(place, "a.png", "--table", "t.xlsx"), ".csv")
    under_a_file = tmp_path / "file" / "t.csv"
    assert_fails_on_one_line(recognize(place, "a.png", "--table", under_a_file), "cannot write")
    assert_fails_on_one_line(recognize(place, "a.png", "--out", tmp_path / "file"), "cannot write")
    before = (place / "a.png").read_bytes()
    assert_fails_on_one_line(recognize(place, "a.png", "--out", place), "overwritten")
    assert_fails_on_one_line(recognize(place, "a.png", "--out", "a.png"), "overwritten")
    assert (place / "a.png").read_bytes() == before


def test_an_absent_detector(place):
    done = recognize(place, "a.png", "--offline", detector="yunet")
    assert_fails_on_one_line(done, "mien fetch yunet --from FILE")
    done = recognize(place, "a.png", "--offline", "--json", detector="auto")
    assert done.returncode == 0
    assert len(lines(done.stderr)) == 1
    assert json.loads(done.stdout)["detector"] == "haar"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout(place):
    with open("/dev/full", "wb") as full:
        done = recognize(place, "a.png", "--json", stdout=full)
    assert_fails_on_one_line(done, f"cannot write to stdout: {os.strerror(errno.ENOSPC)}")


def test_a_full_disk_of_temporary_files(tmp_path, capsys, monkeypatch):
    """Libraries do not say where they wrote. A pipe holds whatever is read; a file may be full."""

    def fills_the_disk() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in (str(tmp_path / "stdout.txt"), "/dev/null"):
        with open(name, "w", encoding="utf-8") as stdout:
            monkeypatch.setattr(sys, "stdout", stdout)
            with pytest.raises(typer.Exit):
                _guarded(fills_the_disk)()
        told = capsys.readouterr().err
        assert f"cannot write to {tmp_path}, for temporary files" in told.replace("\n", " ")
    if Path("/dev/full").exists():
        with open("/dev/full", "w", encoding="utf-8") as stdout:
            monkeypatch.setattr(sys, "stdout", stdout)
            with pytest.raises(typer.Exit):
                _guarded(fills_the_disk)()
        assert "cannot write to stdout" in capsys.readouterr().err


def test_a_reader_that_goes_away(place):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as gone:
        done = recognize(place, "a.png", "--json", stdout=gone)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    "arguments",
    [
        *(["recognize"], ["nonsense"], ["recognize", "a.png", "--detector", "mtcnn"]),
        *(["recognize", "a.png", "--max-pixels", "0"], ["fetch"], ["recognize", "--nonsense"]),
        *(["recognize", "a.png", "--min-confidence", p] for p in ("-0.1", "1.1", "60%", "nan")),
        *(["live", "--min-confidence", "2"], ["live", "--tta", "x"]),
        ["recognize", "a.png", "--tta", "rotate"],
    ],
)
def test_wrong_usage(place, arguments):
    done = mien_command(place, *arguments)
    assert done.returncode == 2
    assert done.stdout == b""


def test_file_names_that_are_no_text(place, tmp_path):
    name = os.fsencode(tmp_path) + b"/\xff.png"
    try:
        with open(name, "wb") as stream:
            stream.write(encode(noise(), "PNG"))
    except OSError:
        pytest.skip("this file system takes text only")
    done = recognize(place, os.fsdecode(name), "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["source"] == os.fsdecode(name)
    assert recognize(place, os.fsdecode(name)).returncode == 0


@pytest.mark.parametrize("value", ["-0.1", "1.1", "60%", "nan"])
def test_least_confidences_that_mean_nothing_are_told(place, value):
    done = recognize(place, "a.png", "--min-confidence", value)
    assert (done.returncode, done.stdout) == (2, b"")
    assert "--min-confidence" in lines(done.stderr)[-1]


def test_uncertain_faces_for_programs_and_people(place, tmp_path):
    plain = json.loads(recognize(place, "a.png", "--json").stdout)
    done = recognize(place, "a.png", "--json", "--min-confidence", "0.99")
    assert (done.returncode, done.stderr) == (0, b"")
    result = json.loads(done.stdout)
    (face,), (other,) = result.pop("faces"), plain.pop("faces")
    assert result == plain
    assert face.pop("expression") == "uncertain"
    first = other.pop("expression")
    assert face == other  # confidence and probabilities are as they were
    table, copy = tmp_path / "t.csv", tmp_path / "a.png"
    done = recognize(place, "a.png", "--min-confidence", "0.99", "--table", table, "--out", copy)
    row = lines(done.stdout)[1].split()
    assert row[:7] == ["a.png", "1", "50", "0", "200", "200", "Uncertain"]
    assert row[7] == FER2013[FER2013.index(first)].display_name
    with table.open(newline="") as stream:
        (cells,) = csv.DictReader(stream)
    assert cells["expression"] == "uncertain"
    assert cells["confidence"] == cells[f"p_{first}"] != ""
    with PIL.Image.open(copy) as picture:
        assert UNCERTAIN.color_rgb in {color for _, color in picture.getcolors(1 << 20)}
    low = recognize(place, "a.png", "--json", "--min-confidence", "0.1")
    assert json.loads(low.stdout)["faces"] == [{**other, "expression": first}]


def test_mirror_images_are_averaged(place):
    plain, none, flip = (
        json.loads(recognize(place, "a.png", "--json", *options).stdout)
        for options in ((), ("--tta", "none"), ("--tta", "flip"))
    )
    assert none == plain and "tta" not in plain
    assert flip.pop("tta") == "flip"
    first, second = flip["faces"][0]["probabilities"], plain["faces"][0]["probabilities"]
    assert first != second
    assert sum(first.values()) == pytest.approx(1.0, abs=1e-5)


def test_help_and_version(place):
    done = mien_command(place, "--version")
    assert (done.returncode, done.stdout) == (0, f"mien {mien.__version__}\n".encode())
    done = mien_command(place, "--help")
    assert done.returncode == 0
    for command in ("recognize", "fetch", "models"):
        assert command.encode() in done.stdout
        assert mien_command(place, command, "--help").returncode == 0


def test_the_package_is_the_command(tmp_path: Path):
    command = [sys.executable, "-m", "mien", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"mien {mien.__version__}\n"


@pytest.mark.parametrize("command", [function.__name__ for function in COMMANDS])
def test_help_is_tidy_at_80_columns(monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(app, [command, "--help"]).stdout
    assert max(map(len, shown.splitlines())) <= 80
    for untidy in ("{", "...\n\n  ...", "<Path", "<path>", "<str>", "list["):
        assert untidy not in shown.replace("SOURCE...", "SOURCE")
    if command == "recognize":
        assert "[default: 100 million; 67 for videos]" in " ".join(shown.split())
    listed = " ".join(CliRunner().invoke(app, ["--help"]).stdout.split())
    assert " ".join(shown.split("\n\n")[1].split()) in listed


def test_help_loads_nothing_heavy(place):
    heavy = ("cv2", "numpy", "onnxruntime", "PIL", "pooch", "keras", "tensorflow", "matplotlib")
    script = (
        "import sys; from mien.cli import app; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_fetch_and_models(place, tmp_path, monkeypatch, shared_folder):
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path))
    runner = CliRunner()
    done = runner.invoke(app, ["models"])
    assert done.exit_code == 0
    assert "mien fetch yunet" in done.stdout
    copy = shared_folder / "models" / "face_detection_yunet_2023mar.onnx"
    done = runner.invoke(app, ["fetch", "yunet", "--from", str(copy)])
    assert done.exit_code == 0
    path = Path(done.stdout.strip())
    assert path.read_bytes() == copy.read_bytes()
    assert str(path) in runner.invoke(app, ["models"]).stdout
    done = runner.invoke(app, ["fetch", "yolo"])
    assert done.exit_code == 1
    assert "known: mien-small, mien-small-int8, mien-tiny, mien-large, " in done.stderr


def test_models_shows_what_the_card_says(monkeypatch, tmp_path):
    from mien.model import store
    from test_model_card import SCORE

    monkeypatch.setattr(store, "_PACKAGED", tmp_path)
    (tmp_path / "mien-small.onnx").write_bytes(make_model_bytes(scores=(SCORE,)))
    done = CliRunner().invoke(app, ["models"])
    assert done.exit_code == 0
    assert "69.0 % (67.0 to 71.0) on FER-2013 PublicTest" in done.stdout


def test_ctrl_c_ends_with_130(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mien.model.store.fetch", interrupted)
    monkeypatch.setattr("mien.model.store.find", interrupted)
    assert CliRunner().invoke(app, ["models"]).exit_code == 130


def test_ctrl_c_is_told_where_results_come_at_the_end(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("mien.workflows.summarizing.summarize", interrupted)
    done = CliRunner().invoke(app, ["summarize", "t.csv", "--out", str(tmp_path / "out")])
    assert (done.exit_code, done.stderr) == (130, "mien: interrupted; no result was written\n")


def broken_pictures():
    """Files that no viewer shows, each in its own way; by their names."""
    jpeg, png_file = encode(noise(), "JPEG"), encode(noise(), "PNG")
    tiff = encode(noise(), "TIFF", compression="tiff_lzw")
    webp, gif = encode(noise(), "WEBP"), encode(noise(), "GIF")
    avif, photo = encode(noise(), "AVIF"), heic(gradient(128, 192))
    scrambled = bytearray(png_file)
    scrambled[len(png_file) // 2] ^= 0xFF
    return {
        "01.jpg": b"",
        "02.jpg": jpeg[: len(jpeg) // 2],
        "03.jpg": jpeg[:100],
        "04.jpg": b"<html>not found</html>",
        "05.png": png_file[: len(png_file) // 2],
        "06.png": bytes(scrambled),
        "07.png": huge_png(),
        "08.tif": tiff[: len(tiff) // 2],
        "09.tif": b"II*\0" + b"\xff" * 40,
        "10.webp": webp[: len(webp) // 2],
        "11.gif": gif[:200],
        "12.avif": avif[: len(avif) // 2],
        "13.HEIC": photo[: len(photo) // 2],
        "14.heif": photo[:300],
        "15.bmp": encode(noise(), "BMP")[:500],
        "16.pgm": b"P5 100 100 70000\n",
        "17.jfif": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
        "18.jpe": b"\xff\xd8" * 50,
    }


def test_a_folder_of_two_hundred_with_twenty_that_cannot_be_read(place, tmp_path):
    """One of the 200 is a link, one a link to nowhere, and one lies in a locked folder."""
    folder = tmp_path / "photos"
    (folder / "inner" / "locked").mkdir(parents=True)
    formats = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM")
    for number in range(179):
        chosen = formats[number % len(formats)]
        where = folder if number % 2 else folder / "inner"
        path = where / f"good{number:03d}.{chosen.lower()}"
        path.write_bytes(encode(gradient(48, 64), chosen))
    (tmp_path / "elsewhere.jpg").write_bytes(encode(gradient(48, 64), "JPEG"))
    (folder / "good_link.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    broken = broken_pictures()
    for name, content in broken.items():
        (folder / name).write_bytes(content)
    (folder / "19.jpg").symlink_to("gone.jpg")
    (folder / "inner" / "locked" / "20.jpg").write_bytes(encode(gradient(), "JPEG"))
    (folder / "notes.txt").write_text("text")
    named = [*broken, "19.jpg", "locked"]
    assert len(named) == 20
    # Root looks into every folder: the system's answer to everybody else is put in its place.
    locked = (
        "import os\nscandir = os.scandir\n"
        "def refuse(path='.'):\n"
        "    if str(path).endswith('locked'):\n"
        "        raise PermissionError(13, 'Permission denied', str(path))\n"
        "    return scandir(path)\n"
        "os.scandir = refuse\n"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-c", locked + RUN, "recognize", str(folder)),
            *("--model", "tiny.onnx", "--detector", "whole", "--table", "out.csv", "--json"),
        ],
        capture_output=True,
        cwd=place,
        env={**os.environ, "MIEN_CACHE": str(place / "cache")},
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert len(lines(done.stdout)) == 180
    told = lines(done.stderr)
    assert all(line.startswith("mien: ") and len(line) < 300 for line in told)
    assert sum("left out" in line and ".txt" in line for line in told) == 1, told
    for name in named:
        assert sum(f"/{name}" in line for line in told) == 1, name
    assert len(told) == 21
    with open(place / "out.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({row["source"] for row in rows}) == 180
    assert not any("good" not in row["source"] for row in rows)
