import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from mien.errors import MissingExtraError, OutputError
from mien.labels import FER2013
from mien.outputs import parquet
from mien.outputs.output import Output
from mien.outputs.pictures import write_picture
from mien.outputs.rows import PLACE_COLUMNS, columns, json_line
from mien.outputs.tables import JOURNAL_SUFFIX, Table, write_table
from mien.paths import check_outputs
from mien.results import Expression, Face, FrameResult
from mien.sources.source import Frame
from picture_factory import gradient

EXPRESSION = Expression(FER2013, (0.02, 0.01, 0.02, 0.8, 0.05, 0.05, 0.05))
RAW = Expression(FER2013, (0.9, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0))
IMAGE_FRAME = Frame(np.zeros((60, 100, 3), np.uint8), 0, 0.0)


def result_of(*boxes, expression=EXPRESSION, track=None, raw=None, source="a,b.jpg", time_s=0.0):
    faces = tuple(Face(box, 0.9, (), expression, track, raw) for box in boxes)
    return FrameResult(100, 60, "fixed", faces, source, round(time_s * 25), time_s)


def video_result(number, source="v.mp4"):
    box = (1.0, 2.0, 30.0, 40.5)
    return result_of(box, track=1, raw=RAW, source=source, time_s=number / 25)


RESULTS = [
    result_of((1.0, 2.0, 3.0, 4.0), (10.0, 2.0, 3.0, 4.5), track=2),
    result_of(),
    result_of((5.0, 5.0, 5.0, 5.0), expression=None),
]
MIXED = [*RESULTS, *map(video_result, range(3))]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def csv_rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def parquet_rows(path):
    pq = pytest.importorskip("pyarrow.parquet")
    return pq.read_table(path)


def test_csv_has_a_row_per_face(tmp_path):
    path = tmp_path / "out.csv"
    write_table(path, RESULTS, FER2013.keys)
    rows = csv_rows(path)
    assert len(rows) == 3
    assert list(rows[0]) == [
        *("source", "frame", "time_s", "face", "x", "y", "w", "h", "detection_score", "track"),
        *("expression", "confidence", *(f"p_{key}" for key in FER2013.keys)),
        *PLACE_COLUMNS,
    ]
    assert {rows[0][name] for name in PLACE_COLUMNS} == {""}
    assert rows[0]["source"] == "a,b.jpg"
    assert [row["face"] for row in rows] == ["0", "1", "0"]
    assert (rows[1]["x"], rows[1]["h"], rows[1]["track"]) == ("10.0", "4.5", "2")
    assert rows[0]["expression"] == FER2013[3].key
    probabilities = [float(rows[0][f"p_{key}"]) for key in FER2013.keys]
    assert probabilities == list(EXPRESSION.probabilities)
    assert rows[2]["expression"] == rows[2]["p_" + FER2013[0].key] == rows[2]["track"] == ""


@pytest.mark.parametrize("name", ["out.jsonl", "out.json", "OUT.JSONL"])
def test_json_lines_have_a_line_per_picture(tmp_path, name):
    path = tmp_path / name
    write_table(path, RESULTS, FER2013.keys)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [result.as_dict() for result in RESULTS]
    assert lines == [json_line(result) for result in RESULTS]


@pytest.mark.parametrize("name", ["out.xlsx", "out", "out.csv.gz"])
def test_other_tables_are_refused(tmp_path, name):
    with pytest.raises(OutputError, match=r"\.csv \.jsonl \.json \.parquet"):
        write_table(tmp_path / name, RESULTS, FER2013.keys)
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_table_of_pictures(tmp_path, suffix, error):
    pytest.importorskip("pyarrow")
    path = tmp_path / f"out{suffix}"
    path.write_text("old")
    with pytest.raises(type(error)), Table(path, FER2013.keys) as table:
        table.add(RESULTS[0])
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == [path.name]


def test_file_names_that_are_no_text(tmp_path):
    odd = FrameResult(1, 1, "x", source="\udcff.jpg")
    write_table(tmp_path / "out.jsonl", [odd], FER2013.keys)
    assert json.loads((tmp_path / "out.jsonl").read_bytes())["source"] == "\udcff.jpg"


@pytest.mark.parametrize("of_videos", [False, True])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_without_a_result_have_a_head(tmp_path, suffix, of_videos):
    pytest.importorskip("pyarrow")
    path = tmp_path / f"new/out{suffix}"
    table = Table(path, FER2013.keys, of_videos=of_videos)
    assert not path.parent.exists()
    table.close()
    table.close()
    head = columns(FER2013.keys, with_raw=of_videos)
    if suffix == ".csv":
        assert path.read_text() == ",".join(head) + "\n"
    else:
        assert parquet_rows(path).column_names == list(head)
        assert parquet_rows(path).num_rows == 0
    assert names(path.parent) == [path.name]


def test_a_table_of_videos_can_be_read_while_it_grows(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")
    table = Table(path, FER2013.keys, of_videos=True)
    assert path.read_text() == "old"
    for number in range(3):
        table.write(IMAGE_FRAME, video_result(number))
        rows = csv_rows(path)
        assert [row["frame"] for row in rows] == [str(n) for n in range(number + 1)]
    table.close()
    assert rows[2]["time_s"] == "0.08"
    assert (rows[0]["expression"], rows[0]["confidence"]) == (FER2013[3].key, "0.8")
    assert [float(rows[0][f"raw_p_{key}"]) for key in FER2013.keys] == list(RAW.probabilities)


def test_a_table_outlives_its_sources(tmp_path):
    path = tmp_path / "out.jsonl"
    with Table(path, FER2013.keys, of_videos=True) as table:
        table.add(RESULTS[0])
        for source in ("a.mp4", "b.mp4"):
            output: Output = table.as_output()
            assert output.path == path
            output.write(IMAGE_FRAME, video_result(0, source))
            output.close()
    found = [json.loads(line)["source"] for line in path.read_text().splitlines()]
    assert found == ["a,b.jpg", "a.mp4", "b.mp4"]


def test_an_error_keeps_a_table_of_videos(tmp_path):
    pytest.importorskip("pyarrow")
    paths = [tmp_path / "out.csv", tmp_path / "out.parquet"]
    for path in paths:
        with pytest.raises(KeyboardInterrupt), Table(path, FER2013.keys, of_videos=True) as table:
            table.add(video_result(0))
            raise KeyboardInterrupt
    assert len(csv_rows(paths[0])) == parquet_rows(paths[1]).num_rows == 1
    assert names(tmp_path) == ["out.csv", "out.parquet"]


def test_parquet_has_types_and_nulls(tmp_path):
    pa = pytest.importorskip("pyarrow")
    path = tmp_path / "out.parquet"
    odd = video_result(3, 'odd "name",\nof two lines')
    with Table(path, FER2013.keys, of_videos=True) as table:
        for result in [*MIXED, odd]:
            table.add(result)
        journal = path.with_name(path.name + JOURNAL_SUFFIX)
        assert len(csv_rows(journal)) == 7
        assert not path.exists()
    assert names(tmp_path) == ["out.parquet"]
    table = parquet_rows(path)
    assert table.column_names == list(columns(FER2013.keys, with_raw=True))
    types = {name: table.schema.field(name).type for name in table.column_names}
    assert {name for name, kind in types.items() if kind == pa.int64()} == {
        *("frame", "face", "track")
    }
    assert types.pop("source") == pa.string()
    assert pa.types.is_dictionary(types.pop("expression"))
    assert types["time_s"] == types["x"] == types["p_" + FER2013[0].key] == pa.float64()
    rows = table.to_pylist()
    happy = FER2013[3].key
    assert [row["track"] for row in rows] == [2, 2, None, 1, 1, 1, 1]
    assert [row["expression"] for row in rows] == [happy, happy, None, *[happy] * 4]
    assert rows[0]["raw_p_" + happy] is None
    assert rows[3]["raw_p_" + FER2013[0].key] == 0.9
    assert rows[-1]["source"] == 'odd "name",\nof two lines'


def test_parquet_is_made_piece_by_piece(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(parquet, "_BLOCK_BYTES", 4096)
    path = tmp_path / "out.parquet"
    write_table(path, map(video_result, range(500)), FER2013.keys)
    assert parquet_rows(path).column("frame").to_pylist() == list(range(500))
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        assert file.num_row_groups > 5


def test_parquet_needs_its_extra_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.csv", None)
    with pytest.raises(MissingExtraError, match=r"pip install '.*\[table\]'"):
        Table(tmp_path / "out.parquet", FER2013.keys)
    Table(tmp_path / "out.csv", FER2013.keys)


KILLED = """
import os, signal, sys
sys.path.insert(0, "tests")
from test_tables import FER2013, Path, Table, video_result
table = Table(Path(sys.argv[1]), FER2013.keys, of_videos=True)
for number in range(40):
    table.add(video_result(number))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 on this system")
@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_a_killed_process_leaves_all_rows(tmp_path, name):
    pytest.importorskip("pyarrow")
    path = tmp_path / name
    done = run_in_repository(KILLED, path)
    assert done.returncode == -signal.SIGKILL
    found = path if name != "out.parquet" else path.with_name(name + JOURNAL_SUFFIX)
    assert names(tmp_path) == [found.name]
    lines = found.read_text().splitlines()
    assert len(lines) - (found.suffix == ".csv") == 40


FULL = """
import resource, signal, sys
sys.path.insert(0, "tests")
from test_tables import FER2013, OutputError, Path, Table, video_result
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
table = Table(Path(sys.argv[1]), FER2013.keys, of_videos=sys.argv[2] == "video")
for number in range(1000):
    try:
        table.add(video_result(number))
    except OutputError as error:
        print(number, error)
        break
table.close()
"""


def run_in_repository(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of resources on this system")
def test_a_full_disk_keeps_whole_rows_of_videos(tmp_path):
    path = tmp_path / "out.csv"
    done = run_in_repository(FULL, path, "video")
    assert done.returncode == 0, done.stderr
    number, _, message = done.stdout.partition(" ")
    assert f"cannot write {path}: File too large; what was written before is kept" in message
    assert "free some space" in message
    assert [row["frame"] for row in csv_rows(path)] == [str(n) for n in range(int(number))]


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of resources on this system")
def test_a_full_disk_leaves_no_table_of_pictures(tmp_path):
    path = tmp_path / "out.csv"
    done = run_in_repository(FULL, path, "pictures")
    assert done.returncode == 0, done.stderr
    assert f"cannot write {path}: File too large; nothing half-written was left" in done.stdout
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp", ".bmp", ".tif"])
def test_pictures_are_written(tmp_path, suffix):
    path = tmp_path / f"new/a{suffix}"
    write_picture(path, gradient())
    with PIL.Image.open(path) as picture:
        assert picture.size == (60, 40)
    assert len(list(path.parent.iterdir())) == 1


def test_other_pictures_are_refused(tmp_path):
    with pytest.raises(OutputError, match=r"\.png"):
        write_picture(tmp_path / "a.xyz", gradient())


def test_outputs_that_can_be_written(tmp_path):
    (tmp_path / "old.csv").write_text("old")
    check_outputs([tmp_path / "old.csv", tmp_path / "new/a.mp4"], ["rtsp://x/y", tmp_path / "in"])
    assert names(tmp_path) == ["old.csv"]


@pytest.mark.parametrize("second", ["a.csv", "A.CSV", "sub/../a.csv", "link/a.csv"])
def test_two_outputs_with_one_name(tmp_path, second):
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(OutputError, match="are one file; name two"):
        check_outputs([tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / second])


def test_a_loop_of_links_is_an_output_and_a_source_like_any_other(tmp_path):
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    check_outputs([tmp_path / "a.csv"], [tmp_path / "loop.jpg"])
    with pytest.raises(OutputError, match="is a source and would be overwritten"):
        check_outputs([tmp_path / "loop.jpg"], [tmp_path / "loop.jpg"])


def test_each_of_many_outputs_is_looked_up_once(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("mien.paths.resolved", lambda path: asked.append(path) or path)
    check_outputs([tmp_path / f"{number}.png" for number in range(200)])
    assert len(asked) <= 600


def test_outputs_that_are_links_to_a_source(tmp_path):
    source = tmp_path / "in.mp4"
    source.write_text("x")
    (tmp_path / "soft.mp4").symlink_to(source)
    os.link(source, tmp_path / "hard.mp4")
    for name in ("in.mp4", "soft.mp4", "hard.mp4"):
        with pytest.raises(OutputError, match="is a source and would be overwritten"):
            check_outputs([tmp_path / name], [str(source)])
    with pytest.raises(OutputError, match="are one file"):
        check_outputs([tmp_path / "soft.mp4", tmp_path / "hard.mp4"])


def test_places_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="it is a folder"):
        check_outputs([tmp_path])
    with pytest.raises(OutputError, match="file is a file"):
        check_outputs([tmp_path / "file/new/a.csv"])
    for of_videos in (False, True):
        with pytest.raises(OutputError, match=r"cannot write .*file/new/a\.csv: Not a directory"):
            Table(tmp_path / "file/new/a.csv", FER2013.keys, of_videos=of_videos).close()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_read_only_places(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    with pytest.raises(OutputError, match="is read-only"):
        check_outputs([tmp_path / "locked/new/a.csv"])
