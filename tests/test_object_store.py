"""Pictures, archives, videos and patterns in an object store, here a server on this machine."""

import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="data sets need the extra table")
pytest.importorskip("s3fs", reason="needs the extra remote")
pytest.importorskip("moto.server", reason="needs moto's server")

import gcs_server
import mien
from dataset_factory import table
from mien.errors import SourceError
from mien.sources.listing import list_items
from onnx_factory import write_model
from picture_factory import encode, gradient
from video_factory import make_clip

# Threads of the server and of fsspec end with the process.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    system.mkdir("mien-test")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        info = tarfile.TarInfo("in tar.png")
        content = encode(gradient(), "PNG")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    system.pipe_file("mien-test/in/1.png", content)
    system.pipe_file("mien-test/in/2.png", b"no picture")
    system.pipe_file("mien-test/in/some.tar", packed.getvalue())
    clip = make_clip(tmp_path / "clip.mp4", 6)
    system.pipe_file("mien-test/in/clip.mp4", clip.read_bytes())
    yield "s3://mien-test"
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_bucket_becomes_a_data_set(bucket: str, tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    assert [item.source for item in list_items(f"{bucket}/in/*.png")] == [
        f"{bucket}/in/1.png",
        f"{bucket}/in/2.png",
    ]
    with pytest.raises(SourceError, match="holds no pictures"):
        list(list_items(f"{bucket}/nothing"))
    found = mien.recognize_dataset(
        f"{bucket}/in",
        tmp_path / "out",
        model=tmp_path / "tiny.onnx",
        detector="whole",
        workers=1,
    )
    assert found.is_complete and found.counts.statuses == {"ok": 3, "damaged": 1}
    rows = {row["source"]: row for row in table(tmp_path / "out", "pictures")}
    assert {name.removeprefix(bucket): row["n_frames"] for name, row in rows.items()} == {
        "/in/1.png": 1,
        "/in/2.png": 0,
        "/in/clip.mp4": 6,
        "/in/some.tar/in tar.png": 1,
    }


def test_a_bucket_of_google_becomes_a_data_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gcsfs = pytest.importorskip("gcsfs", reason="needs gcsfs")
    png = encode(gradient(), "PNG")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("in zip/2.png", png)
    clip = make_clip(tmp_path / "clip.mp4", 6).read_bytes()
    objects = {
        "in/below/1 ü.png": png,
        "in/bad.png": b"no picture",
        "in/clip.mp4": clip,
        "in/some.zip": packed.getvalue(),
        "else/3.png": png,
    }
    write_model(tmp_path / "tiny.onnx")
    with gcs_server.serve("mien-test", objects) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        # Or gcsfs looks for credentials, to ask what kind of bucket it is.
        monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        gcsfs.GCSFileSystem.clear_instance_cache()
        with pytest.raises(SourceError, match="holds no pictures"):
            list(list_items("gs://mien-test/nothing"))
        found = mien.recognize_dataset(
            "gs://mien-test/in",
            tmp_path / "out",
            model=tmp_path / "tiny.onnx",
            detector="whole",
            workers=1,
        )
        gcsfs.GCSFileSystem.clear_instance_cache()
    assert found.is_complete and found.counts.statuses == {"ok": 3, "damaged": 1}
    rows = {row["source"]: row["n_frames"] for row in table(tmp_path / "out", "pictures")}
    assert rows == {
        "gs://mien-test/in/bad.png": 0,
        "gs://mien-test/in/below/1 ü.png": 1,
        "gs://mien-test/in/clip.mp4": 6,
        "gs://mien-test/in/some.zip/in zip/2.png": 1,
    }
