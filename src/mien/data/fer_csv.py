"""FER-2013 as its csv files: ``fer2013.csv`` and ``icml_face_data.csv`` -> columns in memory.

Both hold a class number, 2,304 pixel values as text and the official part; they differ in the
columns' order and in blanks in the header, so columns are found by name. What spreadsheets make of
them is read as well: tabs or semicolons between columns, quoted texts, UTF-16, and lines that end
in a carriage return. Rows are split by hand, not by the csv module, which takes text and refuses
long fields; most of the time goes to the pixels anyway.
"""

import gzip
import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.data.archives import MAX_CSV_BYTES, Archive, explained
from mien.data.digits import DigitsError, decode_rows
from mien.errors import DatasetError
from mien.labels import FER2013
from mien.samples import Split

SPLIT_OF_USAGE = {
    "Training": Split.TRAIN,
    "PublicTest": Split.VALIDATION,
    "PrivateTest": Split.TEST,
}
"""What FER-2013's ``Usage`` column means: nothing is chosen on PrivateTest."""

KNOWN_FILES = ("fer2013.csv", "icml_face_data.csv")
"""Names by which the samples are told from other csv files in one archive."""

_MAX_ROW_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 19
_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_SEPARATORS = (b",", b"\t", b";", b"|")
_WANTED = ("emotion", "pixels")
_QUOTE = b'"'


class _Lines(Protocol):
    """What the reader needs of a stream."""

    def readline(self, limit: int, /) -> bytes:
        """The next line with its end; nothing at the end of the stream."""
        ...


class _Recoded:
    """Lines of a text in another encoding, or with other ends of lines, as UTF-8 with ``\\n``."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._text = io.TextIOWrapper(stream, encoding, errors="replace", newline=None)

    def readline(self, limit: int, /) -> bytes:
        """The next line; nothing at the end."""
        return self._text.readline(limit).encode("utf-8", "replace")


def _plain(stream: Any) -> _Lines:
    """The stream itself where it is plain text; else its lines recoded."""
    head: bytes = stream.peek(4096)[:4096]
    if head[:2] in _UTF16_BOMS:
        return _Recoded(stream, "utf-16")
    if b"\n" not in head and b"\r" in head:
        return _Recoded(stream, "utf-8")
    lines: _Lines = stream
    return lines


@dataclass(frozen=True, slots=True, eq=False)
class CsvColumns:
    """The decoded columns of a csv, one row each."""

    images: NDArray[np.uint8]
    """uint8 (n, side, side) grey, read-only."""
    labels: NDArray[np.int64]
    """Class index in FER-2013's order, (n,)."""
    splits: NDArray[np.str_]
    """A `Split` value per row, (n,)."""
    rows: NDArray[np.int64]
    """The row's number in a text editor, (n,); the header is row 1."""


def read_fer_csv(path: Path) -> CsvColumns:
    """Read a FER-2013 csv, plain, .gz or alone in a .zip.

    Args:
        path: the file. Where it has no ``Usage`` column, every row is for training.

    Returns:
        The columns; the side is the square root of the first row's number of pixels.

    Raises:
        SourceError: there is no such file, or it may not be read.
        DatasetError: a column is missing, a row contradicts the format, there are no rows, or a
            compressed file is damaged; nothing is returned.
    """
    with explained(path), _open(path) as (stream, limit, where):
        return _Reader(stream, limit, where).read()


def csv_member(archive: Archive) -> str:
    """The csv with the samples in an archive: the only one, or the one with a known name.

    Raises:
        DatasetError: there is no csv, or several that could be meant.
    """
    found = [m for m in archive.members if m.lower().endswith(".csv")]
    known = [m for m in found if PurePosixPath(m).name in KNOWN_FILES]
    if len(found) == 1 or len(known) == 1:
        return (known or found)[0]
    listed = ", ".join(found) if found else "none"
    raise DatasetError(
        f"{archive.path} must hold one csv, or one named {' or '.join(KNOWN_FILES)}; "
        f"it holds: {listed}"
    )


@contextmanager
def _open(path: Path) -> Iterator[tuple[_Lines, float, str]]:
    """The lines of a csv, how many bytes of it are read at most, and what errors call it."""
    with open(path, "rb") as file:
        magic = file.read(2)
        file.seek(0)
        if magic == b"\x1f\x8b":
            with gzip.open(file) as stream:
                yield _plain(stream), MAX_CSV_BYTES, str(path)
            return
        if magic != b"PK":
            yield _plain(file), math.inf, str(path)
            return
    archive = Archive(path)
    member = csv_member(archive)
    with archive.open(member) as zipped:
        yield _plain(zipped), MAX_CSV_BYTES, f"{path}: {member}"


class _Reader:
    """Reads one csv in chunks of rows; keeps only decoded pixels."""

    def __init__(self, lines: _Lines, limit: float, where: str) -> None:
        self._lines, self._budget, self._where = lines, limit, where
        self._line_number = 0
        self._row = 0
        self._separator = _SEPARATORS[0]
        self._images: list[NDArray[np.uint8]] = []
        self._labels: list[int] = []
        self._splits: list[str] = []
        self._rows: list[int] = []
        self._fields: list[bytes] = []
        self._pixels = 0

    def read(self) -> CsvColumns:
        columns = self._header()
        add = self._adder(columns)
        pending = 0
        while line := self._record():
            if stripped := line.strip():
                add(stripped)
                pending += len(stripped)
                if pending > _CHUNK_BYTES:
                    self._decode()
                    pending = 0
        self._decode()
        if not self._images:
            raise DatasetError(f"{self._where} has a header but no rows; get a complete copy")
        side = math.isqrt(self._pixels)
        images = np.concatenate(self._images).reshape(-1, side, side)
        images.setflags(write=False)  # as they are when they come from the cache
        return CsvColumns(
            images=images,
            labels=np.array(self._labels, dtype=np.int64),
            splits=np.array(self._splits, dtype=np.str_),
            rows=np.array(self._rows, dtype=np.int64),
        )

    def _record(self) -> bytes:
        """The next row: a line, or several where a quoted text holds the ends of them."""
        record = self._line()
        self._row = self._line_number
        while record.count(_QUOTE) % 2:
            line = self._line()
            record += line
            if not line or len(record) > _MAX_ROW_BYTES:
                self._fail("has a quotation mark that is never closed")
        return record

    def _line(self) -> bytes:
        line = self._lines.readline(_MAX_ROW_BYTES)
        self._line_number += 1
        self._budget -= len(line)
        if len(line) == _MAX_ROW_BYTES and not line.endswith(b"\n"):
            self._fail(f"is longer than {_MAX_ROW_BYTES:,} bytes; is this a csv?")
        if self._budget < 0:
            raise DatasetError(
                f"{self._where} unpacks to more than {MAX_CSV_BYTES:,} bytes; "
                "unpack it yourself if you trust it"
            )
        return line

    def _header(self) -> list[str]:
        line = self._line()
        if not line:
            raise DatasetError(f"{self._where} is empty; get a complete copy")
        for self._separator in reversed(_SEPARATORS):  # the comma last, for what is none of them
            fields = self._split(line.removeprefix(_BOM))
            names = [_text(name).lower() for name in fields]
            if set(_WANTED) <= set(names):
                break
        for wanted in _WANTED:
            if wanted not in names:
                seen = ", ".join(name[:20] for name in names[:6] if name.isprintable())
                raise DatasetError(
                    f"{self._where} has no column '{wanted}'; its header must name emotion, "
                    f"pixels and, where it is split, Usage; it reads: {seen or 'not text'}"
                )
        return names

    def _adder(self, names: list[str]) -> Callable[[bytes], None]:
        label_at, pixels_at = names.index("emotion"), names.index("pixels")
        usage_at = names.index("usage") if "usage" in names else None

        def add(line: bytes) -> None:
            fields = self._split(line)
            if len(fields) != len(names):
                self._fail(f"has {len(fields)} columns, expected {len(names)} as in the header")
            usage = "Training" if usage_at is None else _text(fields[usage_at])
            if usage not in SPLIT_OF_USAGE:
                known = ", ".join(SPLIT_OF_USAGE)
                self._fail(f"has the Usage '{usage[:20]}'; known: {known}")
            self._labels.append(self._label(_unquoted(fields[label_at])))
            self._splits.append(SPLIT_OF_USAGE[usage].value)
            self._rows.append(self._row)
            self._fields.append(_unquoted(fields[pixels_at]))

        return add

    def _split(self, line: bytes) -> list[bytes]:
        """The fields of a row; separators in quotation marks are text."""
        if _QUOTE not in line:
            return line.split(self._separator)
        parts = line.split(_QUOTE)
        parts[1::2] = [part.replace(self._separator, b"\0") for part in parts[1::2]]
        fields = _QUOTE.join(parts).split(self._separator)
        return [field.replace(b"\0", self._separator) for field in fields]

    def _label(self, text: bytes) -> int:
        if not text.isdigit() or len(text) > 9 or int(text) >= len(FER2013):
            self._fail(f"has the emotion '{_text(text[:20])}', expected 0 to {len(FER2013) - 1}")
        return int(text)

    def _decode(self) -> None:
        if not self._fields:
            return
        first = self._rows[-len(self._fields)]
        if not self._pixels:
            self._pixels = len(self._fields[0].split())
            if not self._pixels or math.isqrt(self._pixels) ** 2 != self._pixels:
                what = f"has {self._pixels:,} pixels, expected a square such as 2,304 (48 x 48)"
                self._fail(what, row=first)
        try:
            self._images.append(decode_rows(self._fields, self._pixels))
        except DigitsError as error:
            self._fail(str(error), row=self._rows[error.row - len(self._fields)])
        self._fields = []

    def _fail(self, what: str, *, row: int | None = None) -> NoReturn:
        number = row or self._row or self._line_number
        raise DatasetError(f"{self._where}: row {number} {what}; correct or remove that row")


def _unquoted(field: bytes) -> bytes:
    return field.strip().strip(b'"').strip()


def _text(field: bytes) -> str:
    return _unquoted(field).decode("utf-8", "replace")
