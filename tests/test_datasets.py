"""`mien recognize --dataset`: nothing is lost and nothing is there twice, whatever dies."""

import csv
import io
import json
import os
import signal
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import typer.main

pytest.importorskip("pyarrow", reason="data sets need the extra table")

import dataset_factory as factory
import mien
from command_line import assert_fails_on_one_line
from command_line import mien as run_mien
from dataset_factory import ENDS_ITS_PROCESS, FILLS_THE_DISK, NEVER_ENDS, table
from mien.cli.app import app
from mien.errors import EngineError, SourceError
from onnx_factory import write_model
from picture_factory import encode, gradient, huge_png

N = 240
OPTIONS = ("--model", "tiny.onnx", "--detector", "whole", "--shard-size", 20, "--workers", 2)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_model(tmp_path / "tiny.onnx")
    return tmp_path


def command(*more: object) -> list[object]:
    return ["recognize", "in", "--dataset", "out", *OPTIONS, *more]


def finish(
    place: Path, *more: object, environment: dict[str, str] | None = None
) -> tuple[int, str]:
    process = factory.start(command(*more), place, environment or {})
    _, stderr = process.communicate(timeout=factory.PATIENCE_S)
    return process.returncode, stderr


def assert_each_once(place: Path, quarantined: dict[int, str] | None = None) -> None:
    """Every picture has one row, and one face where it is ok."""
    pictures = table(place / "out", "pictures")
    assert Counter(Path(row["source"]).name for row in pictures) == Counter(
        f"{number:05d}.jpg" for number in range(N)
    )
    bad = {
        int(Path(row["source"]).stem): row["status"] for row in pictures if row["status"] != "ok"
    }
    assert bad == (quarantined or {})
    faces = Counter(Path(row["source"]).stem for row in table(place / "out", "faces"))
    assert len(faces) == N - len(bad) and set(faces.values()) == {1}
    assert not list((place / "out" / "_mien" / "attempts").iterdir())


def test_the_rows_are_those_of_one_process(place: Path) -> None:
    factory.write_pictures(place / "in", N)
    assert finish(place) == (0, "")
    assert_each_once(place)
    done = run_mien(
        *("recognize", "in", "--table", "t.csv", "--workers", 1, *OPTIONS[:4]), cwd=place
    )
    assert done.returncode == 0
    with (place / "t.csv").open() as file:
        one = sorted(csv.DictReader(file), key=lambda row: row["source"])
    for row, other in zip(table(place / "out", "faces"), one, strict=True):
        assert {key: "" if cell is None else str(cell) for key, cell in row.items()} == other
    # The same command again finds all done, and changes nothing.
    before = {path: path.stat().st_mtime_ns for path in (place / "out").rglob("part-*")}
    assert run_mien(*command(), cwd=place).returncode == 0
    after = {path: path.stat().st_mtime_ns for path in (place / "out").rglob("part-*")}
    assert {path: time for path, time in after.items() if "_mien" not in str(path)} == {
        path: time for path, time in before.items() if "_mien" not in str(path)
    }


@pytest.mark.parametrize("whom", ["worker", "driver", "terminal"])
def test_a_killed_process_loses_nothing(place: Path, whom: str) -> None:
    factory.write_pictures(place / "in", N, marks=factory.marks_to_wait(N))
    process = factory.start(command(), place, factory.plug_in(place / "plug-in"))
    factory.wait_for(lambda: list((place / "out" / "pictures").glob("*/*.parquet")))
    workers = factory.children(process.pid)
    assert len(workers) == 2
    if whom == "worker":
        os.kill(workers[0], signal.SIGKILL)
        factory.let_go(place / "plug-in", 0)
        factory.let_go(place / "plug-in", 1)
        _, stderr = process.communicate(timeout=factory.PATIENCE_S)
        assert (process.returncode, stderr) == (0, "")
    else:
        process.send_signal(signal.SIGKILL if whom == "driver" else signal.SIGINT)
        _, stderr = process.communicate(timeout=factory.PATIENCE_S)
        if whom == "driver":
            assert process.returncode == -9
        else:
            words = "mien: ended before all was done; the same command goes on\n"
            assert (process.returncode, stderr) == (130, words)
        factory.wait_for(lambda: not any(map(factory.is_running, workers)))
        n_done = len(list((place / "out" / "pictures").glob("*/*.parquet")))
        assert 0 < n_done < N // 20
        assert run_mien(*command(), cwd=place).returncode == 0
    assert_each_once(place)


def test_pictures_that_end_their_process_are_quarantined(place: Path) -> None:
    poison = {5: ENDS_ITS_PROCESS, 45: ENDS_ITS_PROCESS, 46: ENDS_ITS_PROCESS, 200: NEVER_ENDS}
    factory.write_pictures(place / "in", N, marks=poison)
    environment = factory.plug_in(place / "plug-in")
    code, stderr = finish(place, "--timeout", 2, environment=environment)
    assert code == 1
    statuses = {5: "crashed", 45: "crashed", 46: "crashed", 200: "timeout"}
    assert_each_once(place, statuses)
    said = {Path(line.split(": ")[1]).stem: line.split(": ")[2] for line in stderr.splitlines()}
    assert said == {
        **dict.fromkeys(("00005", "00045", "00046"), "it ended the process that read it, twice"),
        "00200": "it took longer than the limit, twice",
    }
    # Where nothing ends the process any more, only those are done again.
    kept = {row["source"]: row for row in table(place / "out", "faces")}
    assert run_mien(*command("--timeout", 2, "--retry-failed"), cwd=place).returncode == 0
    assert_each_once(place)
    faces = {row["source"]: row for row in table(place / "out", "faces")}
    assert {source: faces[source] for source in kept} == kept


def test_a_full_disk_ends_the_job_and_loses_nothing(place: Path) -> None:
    factory.write_pictures(place / "in", N, marks={100: FILLS_THE_DISK})
    code, stderr = finish(place, environment=factory.plug_in(place / "plug-in"))
    assert code == 2
    assert len(stderr.splitlines()) == 1 and "cannot write" in stderr and len(stderr) < 300
    assert run_mien(*command(), cwd=place).returncode == 0
    assert_each_once(place)


def test_statuses_say_what_is_wrong(place: Path) -> None:
    folder = factory.write_pictures(place / "in", 3)
    (folder / "broken.jpg").write_bytes((folder / "b" / "00000.jpg").read_bytes()[:300])
    (folder / "huge.png").write_bytes(huge_png())
    (folder / "text.jpg").write_text("no picture")
    (folder / "nowhere.jpg").symlink_to(folder / "nothing.jpg")
    (folder / "notes.txt").write_text("no picture")
    done = run_mien(*command(), cwd=place)
    assert done.returncode == 1
    first, *named = done.stderr.splitlines()
    assert first == "mien: in: 1 file of other kinds (.txt) left out"
    assert [line.split()[1] for line in named] == [
        f"in/{name}" if name != "nowhere.jpg" else "no"
        for name in ("broken.jpg", "huge.png", "nowhere.jpg", "text.jpg")
    ]
    assert all(len(line) < 300 for line in named)
    assert "3 of 3" not in done.stdout and "1 of 1 shards" in done.stdout
    found = {Path(row["source"]).name: row for row in table(place / "out", "pictures")}
    statuses = {name: row["status"] for name, row in found.items() if row["status"] != "ok"}
    assert statuses == {
        "broken.jpg": "damaged",
        "huge.png": "too_large",
        "text.jpg": "damaged",
        "nowhere.jpg": "unreadable",
    }
    assert "--max-pixels" in found["huge.png"]["error"]
    assert found["00000.jpg"]["size_bytes"] == (folder / "b" / "00000.jpg").stat().st_size
    assert found["00000.jpg"]["n_faces"] == 1


def test_the_first_that_cannot_be_read_are_named_and_the_others_counted(place: Path) -> None:
    folder = factory.write_pictures(place / "in", 2)
    for number in range(45):
        (folder / f"text{number:02d}.jpg").write_text("no picture")
    done = run_mien(*command(), cwd=place)
    *named, last = done.stderr.splitlines()
    assert done.returncode == 1
    assert len(set(named)) == 20 and all("is not a picture" in line for line in named)
    assert last == "mien: 25 more could not be read; the column error of out/pictures says why"
    # What an earlier command named is only counted.
    done = run_mien(*command(), cwd=place)
    assert (done.returncode, done.stderr) == (
        1,
        "mien: 45 could not be read; the column error of out/pictures says why\n",
    )


def test_sources_that_are_not_there_leave_no_trace(place: Path) -> None:
    (place / "in").mkdir()
    for source, words in (("in", "holds no pictures"), ("none", "no such file or folder: none")):
        for out in ("out", "new/out"):
            done = run_mien("recognize", source, "--dataset", out, *OPTIONS, cwd=place)
            assert_fails_on_one_line(done, words)
            assert not (place / out).exists() and not (place / "new").exists()
    (place / "out").mkdir()
    assert_fails_on_one_line(run_mien(*command(), cwd=place), "holds no pictures")
    assert not list((place / "out").iterdir())
    # Beside one that is there, it is named, and the other one is done.
    factory.write_pictures(place / "in", 2)
    done = run_mien(*command("none"), cwd=place)
    assert (done.returncode, done.stderr) == (1, "mien: no such file or folder: none\n")
    assert len(table(place / "out", "faces")) == 2


def test_another_job_is_refused_in_one_line(place: Path) -> None:
    factory.write_pictures(place / "in", 4)
    assert run_mien(*command(), cwd=place).returncode == 0
    (place / "in" / "new.jpg").write_bytes(encode(gradient(), "JPEG"))
    for more, words in (
        ((), "the sources are others"),
        (("--tta", "flip", "--manifest", "out/_mien/manifest"), "sources are others"),
    ):
        done = run_mien(*command(*more), cwd=place)
        assert done.returncode == 2 and words in done.stderr and len(done.stderr) < 300
    (place / "in" / "new.jpg").unlink()
    done = run_mien(*command("--tta", "flip"), cwd=place)
    assert done.returncode == 2 and "another tta (none, now flip)" in done.stderr
    # What it was made of is a manifest itself.
    arguments = ("recognize", "--manifest", "out/_mien/manifest", "--dataset", "out", *OPTIONS)
    assert run_mien(*arguments, cwd=place).returncode == 0
    (place / "else").mkdir()
    (place / "else" / "mine.txt").write_text("mine")
    done = run_mien("recognize", "in", "--dataset", "else", *OPTIONS, cwd=place)
    assert done.returncode == 2 and "holds other files (mine.txt)" in done.stderr


def test_wrong_options_are_told(place: Path) -> None:
    for arguments in (
        ("recognize", "in", "--shard-size", 3),
        ("recognize", "in", "--dataset", "out", "--table", "t.csv"),
        ("recognize",),
        ("recognize", "in", "--retry-failed"),
    ):
        assert run_mien(*arguments, cwd=place).returncode == 2
    done = run_mien(*("recognize", "in", "--dataset", "out", "--model", "no.onnx"), cwd=place)
    assert done.returncode == 2 and "no such model file" in done.stderr


def test_archives_patterns_and_manifests(place: Path) -> None:
    folder = factory.write_pictures(place / "in", 6)
    pictures = sorted(folder.rglob("*.jpg"))
    with zipfile.ZipFile(place / "some.zip", "w") as archive:
        for path in pictures[:2]:
            archive.write(path, f"z/{path.name}")
        archive.writestr("__MACOSX/z/._00001.jpg", b"no picture")
        archive.writestr("notes.txt", b"no picture")
    with tarfile.open(place / "some.tar.gz", "w:gz") as archive:
        for path in pictures[2:4]:
            archive.add(path, f"{path.stem}.jpg")
            label = tarfile.TarInfo(f"{path.stem}.cls")
            label.size = 1
            archive.addfile(label, io.BytesIO(b"3"))
    (place / "list.csv").write_text("path\n" + "".join(f"{path}\n" for path in pictures[4:]))
    result = mien.recognize_dataset(
        [str(place / "some.zip"), str(place / "*.tar.gz")],
        place / "out",
        manifest=place / "list.csv",
        model=place / "tiny.onnx",
        detector="whole",
        workers=1,
    )
    assert (result.is_complete, result.counts.statuses) == (True, {"ok": 6})
    sources = {row["source"] for row in table(place / "out", "pictures")}
    assert sources == {
        *(f"{place}/some.zip/z/{path.name}" for path in pictures[:2]),
        *(f"{place}/some.tar.gz/{path.name}" for path in pictures[2:4]),
        *map(str, pictures[4:]),
    }
    assert len(table(place / "out", "faces")) == 6
    assert "6 faces, 0 quarantined" in repr(result)


def test_a_broken_archive_has_a_row_or_a_line(place: Path) -> None:
    factory.write_pictures(place / "in", 2)
    with tarfile.open(place / "in" / "cut.tar", "w") as archive:
        for number in range(3):
            info = tarfile.TarInfo(f"{number}.jpg")
            content = encode(gradient(), "JPEG")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    whole = (place / "in" / "cut.tar").read_bytes()
    (place / "in" / "cut.tar").write_bytes(whole[:2500])
    (place / "in" / "no.zip").write_bytes(b"PK no zip")
    done = run_mien(*command(), cwd=place)
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert "no.zip is damaged" in first and "cut.tar" in second
    found = {row["source"]: row["status"] for row in table(place / "out", "pictures")}
    assert found["in/cut.tar"] == "unreadable"
    assert found["in/b/00000.jpg"] == found["in/a/00001.jpg"] == "ok"


def test_a_bad_manifest_is_told(place: Path) -> None:
    (place / "a.csv").write_text("name\nx.jpg\n")
    (place / "b.csv").write_text("source,kind\nx.jpg,sound\n")
    (place / "c.parquet").write_text("no Parquet")
    for name, words in (
        ("a.csv", "no column source"),
        ("b.csv", "row 1"),
        ("c.parquet", "no Parquet file"),
        ("d.csv", "no such file"),
    ):
        with pytest.raises(SourceError, match=words):
            mien.recognize_dataset(
                (),
                place / "out",
                manifest=place / name,
                detector="whole",
                model=place / "tiny.onnx",
            )


def test_two_commands_at_once_are_refused(place: Path) -> None:
    from mien.outputs.dataset.job import locked
    from mien.outputs.dataset.layout import Layout

    factory.write_pictures(place / "in", 2)
    with locked(Layout(place / "out")), pytest.raises(EngineError, match="another command"):
        mien.recognize_dataset(
            place / "in", place / "out", detector="whole", model=place / "tiny.onnx"
        )


def test_json_is_a_line_for_each_shard_and_one_for_all(place: Path) -> None:
    factory.write_pictures(place / "in", 50)
    done = run_mien(*command("--json"), cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    *shards, summary = map(json.loads, done.stdout.splitlines())
    assert sorted(line["shard"] for line in shards) == [0, 1, 2]
    assert [line["done"] for line in shards] == [1, 2, 3]
    assert sum(line["statuses"]["ok"] for line in shards) == 50 == summary["statuses"]["ok"]
    assert summary["done"] == summary["shards"] == 3


def test_duckdb_polars_and_pandas_read_it_alike(place: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="needs DuckDB")
    polars = pytest.importorskip("polars", reason="needs Polars")
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    factory.write_pictures(place / "in", 60)
    assert run_mien(*command(), cwd=place).returncode == 0
    faces = place / "out" / "faces"
    query = (
        "select bucket, avg((expression = 'happy')::int) from "
        f"read_parquet('{faces}/**/*.parquet', hive_partitioning = true) group by 1 order by 1"
    )
    by_duckdb = {int(bucket): share for bucket, share in duckdb.sql(query).fetchall()}
    happy = (polars.col("expression").cast(polars.String) == "happy").mean()
    by_polars = polars.scan_parquet(faces, hive_partitioning=True).group_by("bucket").agg(happy)
    by_pandas = pandas.read_parquet(faces)
    assert len(by_pandas) == 60 and len(by_duckdb) == 3
    assert {int(bucket): share for bucket, share in by_polars.collect().iter_rows()} == by_duckdb
    shares = (by_pandas["expression"] == "happy").groupby(by_pandas["bucket"].astype(int)).mean()
    assert shares.to_dict() == by_duckdb


def test_the_job_for_kubernetes_is_one_that_kuberay_takes() -> None:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    page = (Path(__file__).parent.parent / "docs" / "scale.md").read_text(encoding="utf-8")
    job = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]
    # Fields of RayJobSpec, RayClusterSpec, HeadGroupSpec and WorkerGroupSpec; source: KubeRay's
    # ray-operator/apis/ray/v1.
    assert set(spec) == {"entrypoint", "backoffLimit", "shutdownAfterJobFinishes", "rayClusterSpec"}
    assert set(spec["rayClusterSpec"]) == {"headGroupSpec", "workerGroupSpecs"}
    head, (workers,) = spec["rayClusterSpec"].values()
    assert set(head) == {"rayStartParams", "template"}
    assert set(workers) == {"groupName", "replicas", "rayStartParams", "template"}
    volumes = set()
    for group in (head, workers):
        parameters = group["rayStartParams"]
        assert all(isinstance(value, str) for value in parameters.values())
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert container["resources"]["limits"] and container["image"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    words = spec["entrypoint"].split()
    assert words[:2] == ["mien", "recognize"]
    recognize = typer.main.get_command(app).commands["recognize"]
    with recognize.make_context("recognize", words[2:]) as context:
        assert context.params["dataset"] == Path("/data/out")
        assert context.params["ray_address"] == "auto"


def test_fails_on_one_line_where_the_place_is_a_file(place: Path) -> None:
    factory.write_pictures(place / "in", 2)
    (place / "out").write_text("mine")
    done = run_mien(*command(), cwd=place)
    assert done.returncode == 2
    done.returncode = 1
    assert_fails_on_one_line(done, "is a file")
