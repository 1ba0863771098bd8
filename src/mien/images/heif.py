"""Stills in a video's container: HEIC as phones write it -> RGB uint8 (H, W, 3).

The container is read here: which item is the picture, the grid of tiles that it consists of, how
it is cut, turned and mirrored; FFmpeg decodes the tiles. FFmpeg's own reader of the container
was rejected: through PyAV it gives the tiles of a phone's photo as separate videos. pillow-heif
was rejected: 26 MB of libraries for decoders that FFmpeg already brings.

Source: ISO/IEC 14496-12 (boxes, items) and ISO/IEC 23008-12 (HEIF: properties, grids).
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from mien.errors import ImageError
from mien.samples import Image

if TYPE_CHECKING:
    from av import VideoFrame

HEAD_BYTES = 64
"""How much of a file `is_heif` looks at."""

_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_CODECS = {
    b"hvc1": ("hevc", b"hvcC"),
    b"hev1": ("hevc", b"hvcC"),
    b"avc1": ("h264", b"avcC"),
    b"av01": ("libdav1d", b"av1C"),
    b"jpeg": ("mjpeg", b"jpgC"),
}
"""The decoder of each kind of item, and the box that sets it up."""
_MAX_META_BYTES = 16 << 20
_MAX_ITEM_BYTES = 256 << 20
_MAX_DEPTH = 4
"""Items in items: the photo is a grid, and the grid's tiles are pictures."""

_BT601, _FULL_RANGE, _LIMITED_RANGE = 6, 2, 1
"""AVCOL_SPC_SMPTE170M, AVCOL_RANGE_JPEG, AVCOL_RANGE_MPEG."""
_UNSPECIFIED = 2

Size = tuple[int, int]
"""Width and height in pixels."""
Property = tuple[bytes, bytes]
"""A property's kind and content."""
Extent = tuple[int, int]
"""Where bytes begin and how many they are."""


def is_heif(head: bytes) -> bool:
    """Whether a file that begins so is a still in a video's container, other than AVIF.

    Args:
        head: the first `HEAD_BYTES` of the file.
    """
    if head[4:8] != b"ftyp":
        return False
    (length,) = struct.unpack_from(">I", head)
    brands = {head[start : start + 4] for start in (8, *range(16, min(length, len(head)), 4))}
    return head[8:12] not in _AVIF_BRANDS and bool(brands & _BRANDS)


def read_heif(file: BinaryIO, name: str, *, check_size: Callable[[Size], None]) -> Image:
    """Read the picture that the file names as its own, upright.

    Args:
        file: an open file that can jump.
        name: what error messages call it.
        check_size: told the size of the picture, and of each tile, before they are decoded; raises
            where that is too large.

    Returns:
        uint8 (H, W, 3) RGB. Turns and mirrorings of the container are applied; EXIF only repeats
        them, by the standard, and is not looked at.

    Raises:
        ImageError: there is no picture in it, or one of a kind that cannot be decoded.
    """
    items = _Items(file, name)
    return items.image(items.primary, check_size)


@dataclass(slots=True)
class _Item:
    """What the container says of one item."""

    kind: bytes = b""
    extents: Sequence[Extent] = ()
    in_meta: bool = False
    """Whether the extents count from the container's own data (idat) and not from the file."""
    properties: list[Property] = field(default_factory=list)
    parts: Sequence[int] = ()
    """The items that it is made of."""

    def last(self, kind: bytes) -> bytes | None:
        """The content of its property of a kind."""
        return next((content for k, content in reversed(self.properties) if k == kind), None)

    def size(self) -> Size | None:
        """As it is stored, before it is turned."""
        extent = self.last(b"ispe")
        return None if extent is None else struct.unpack_from(">II", extent, 4)


class _Items:
    """The items of an open file, by number."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._items: dict[int, _Item] = {}
        self._data = b""
        self.primary = 0
        """The number of the picture that the file is about."""
        meta = self._meta()
        boxes = {kind: content for kind, content in _boxes(meta, 4)}
        if b"pitm" not in boxes or b"iinf" not in boxes or b"iloc" not in boxes:
            raise ImageError(f"{name} is a video's container without a still; name a picture")
        self._data = boxes.get(b"idat", b"")
        self.primary = _number(boxes[b"pitm"], 4, 4 if boxes[b"pitm"][0] else 2)
        self._read_kinds(boxes[b"iinf"])
        self._read_places(boxes[b"iloc"])
        self._read_parts(boxes.get(b"iref", b""))
        self._read_properties(boxes.get(b"iprp", b""))

    def image(self, number: int, check_size: Callable[[Size], None], depth: int = 0) -> Image:
        """An item as RGB, cut, turned and mirrored as the container says."""
        item = self._items.get(number)
        if item is None or depth > _MAX_DEPTH:
            raise ImageError(f"{self._name} is damaged (item {number} is not there); get another")
        size = item.size()
        if size is not None:
            check_size(size)
        if item.kind == b"grid":
            image_rgb = self._grid(item, check_size)
        elif item.kind == b"iden" and item.parts:
            image_rgb = self.image(item.parts[0], check_size, depth + 1)
        elif item.kind in _CODECS and size is not None:
            (image_rgb,) = self._decode([item], size)
        else:
            raise self._unknown(item)
        return np.ascontiguousarray(_transformed(image_rgb, item.properties))

    def _grid(self, grid: _Item, check_size: Callable[[Size], None]) -> Image:
        header = self._content(grid)
        rows, columns = header[2] + 1, header[3] + 1
        width, height = struct.unpack_from(">II" if header[1] & 1 else ">HH", header, 4)
        check_size((width, height))
        tiles = [self._items.get(number) for number in grid.parts]
        known = [tile for tile in tiles if tile is not None and tile.kind in _CODECS]
        tile_size = known[0].size() if known else None
        if len(known) != rows * columns or tile_size is None:
            raise self._unknown(grid)
        check_size(tile_size)
        across, down = tile_size
        # All tiles are needed, so what is decoded is bounded by what was checked.
        if not (0 <= width - across * (columns - 1) <= across) or not (
            0 <= height - down * (rows - 1) <= down
        ):
            raise ImageError(f"{self._name} is damaged (its tiles do not fit); get another copy")
        canvas = np.zeros((height, width, 3), np.uint8)
        for index, tile_rgb in enumerate(self._decode(known, tile_size)):
            top, left = index // columns * down, index % columns * across
            part = canvas[top : top + down, left : left + across]
            part[:] = tile_rgb[: part.shape[0], : part.shape[1]]
        return canvas

    def _decode(self, items: Sequence[_Item], size: Size) -> Iterator[Image]:
        """The pictures of items of one kind and set-up, in order."""
        from av import CodecContext, Packet
        from av.video.codeccontext import VideoCodecContext

        codec, box = _CODECS[items[0].kind]
        setup = items[0].last(box)
        context = CodecContext.create(codec, "r")
        if not isinstance(context, VideoCodecContext):  # never so; for the type checker
            raise self._unknown(items[0])
        context.extradata = None if setup is None else setup
        context.options = {"max_pixels": str(2 * size[0] * size[1] + 65_536)}
        # With a thread for every picture, FFmpeg waits for ever after some damaged ones.
        context.thread_type = "SLICE"
        colours = items[0].last(b"colr")
        count = 0
        packets = (Packet(self._content(item)) for item in items)
        for packet in (*packets, None):
            for frame in context.decode(packet):
                count += 1
                yield _rgb(frame, size, colours)
        if count != len(items):
            raise ImageError(f"{self._name} is damaged (a part is missing); get a complete copy")

    def _content(self, item: _Item) -> bytes:
        if sum(length for _, length in item.extents) > _MAX_ITEM_BYTES:
            raise ImageError(f"{self._name} is damaged (a part is too large); get another copy")
        content = b""
        for start, length in item.extents:
            if item.in_meta:
                part = self._data[start : start + length]
            else:
                self._file.seek(start)
                part = self._file.read(length)
            if len(part) < length:
                raise ImageError(f"{self._name} is damaged (it breaks off); get a complete copy")
            content += part
        return content

    def _unknown(self, item: _Item) -> ImageError:
        kind = item.kind.decode("ascii", "replace")
        return ImageError(f"{self._name} holds a picture of the kind '{kind}'; convert it to JPEG")

    def _meta(self) -> bytes:
        """The box that describes the items."""
        start = 0
        while len(head := self._at(start, 16)) >= 8:
            length, kind = struct.unpack_from(">I4s", head)
            header = 8
            if length == 1 and len(head) == 16:
                (length,), header = struct.unpack_from(">Q", head, 8), 16
            if kind == b"meta":
                if length - header > _MAX_META_BYTES:
                    break
                return self._at(start + header, length - header if length else _MAX_META_BYTES)
            if length < header:
                break
            start += length
        raise ImageError(f"{self._name} is a video's container without a still; name a picture")

    def _at(self, start: int, length: int) -> bytes:
        self._file.seek(start)
        return self._file.read(length)

    def _read_kinds(self, iinf: bytes) -> None:
        for kind, entry in _boxes(iinf, 6 if iinf[0] == 0 else 8):
            if kind == b"infe" and entry[0] in (2, 3):
                wide = 4 if entry[0] == 3 else 2
                item = self._items.setdefault(_number(entry, 4, wide), _Item())
                item.kind = entry[6 + wide : 10 + wide]

    def _read_places(self, iloc: bytes) -> None:
        version = iloc[0]
        offset_size, length_size = iloc[4] >> 4, iloc[4] & 15
        base_size, index_size = iloc[5] >> 4, iloc[5] & 15 if version else 0
        wide = 4 if version == 2 else 2
        reader = _Reader(iloc, 6)
        for _ in range(reader.take(wide)):
            item = self._items.setdefault(reader.take(wide), _Item())
            method = reader.take(2) & 15 if version else 0
            reader.take(2)
            base = reader.take(base_size)
            extents = []
            for _ in range(reader.take(2)):
                reader.take(index_size)
                extents.append((base + reader.take(offset_size), reader.take(length_size)))
            item.in_meta = method == 1
            item.extents = extents if method < 2 else ()

    def _read_parts(self, iref: bytes) -> None:
        wide = 4 if iref[:1] > b"\0" else 2
        for kind, entry in _boxes(iref, 4):
            if kind == b"dimg":
                reader = _Reader(entry, 0)
                item = self._items.setdefault(reader.take(wide), _Item())
                item.parts = [reader.take(wide) for _ in range(reader.take(2))]

    def _read_properties(self, iprp: bytes) -> None:
        boxes = list(_boxes(iprp, 0))
        known = [p for kind, box in boxes if kind == b"ipco" for p in _boxes(box, 0)]
        for ipma in (box for kind, box in boxes if kind == b"ipma"):
            wide = 2 if ipma[0] == 0 else 4
            long = ipma[3] & 1
            reader = _Reader(ipma, 4)
            for _ in range(reader.take(4)):
                item = self._items.setdefault(reader.take(wide), _Item())
                for _ in range(reader.take(1)):
                    index = reader.take(2) & 0x7FFF if long else reader.take(1) & 0x7F
                    if 0 < index <= len(known):
                        item.properties.append(known[index - 1])


class _Reader:
    """Takes whole numbers off a box, one after the other."""

    def __init__(self, box: bytes, start: int) -> None:
        self._box, self._at = box, start

    def take(self, n_bytes: int) -> int:
        self._at += n_bytes
        return _number(self._box, self._at - n_bytes, n_bytes)


def _number(box: bytes, start: int, n_bytes: int) -> int:
    if start + n_bytes > len(box):
        raise ValueError("its description breaks off")
    return int.from_bytes(box[start : start + n_bytes], "big")


def _boxes(content: bytes, start: int) -> Iterator[Property]:
    """The boxes in a box, from a place on."""
    while start + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, start)
        header = 8
        if length == 1:
            length, header = _number(content, start + 8, 8), 16
        end = len(content) if length == 0 else start + length
        if end < start + header or end > len(content):
            raise ValueError("its description breaks off")
        yield kind, content[start + header : end]
        start = end


def _rgb(frame: "VideoFrame", size: Size, colours: bytes | None) -> Image:
    matrix, is_full = frame.colorspace, frame.color_range != _LIMITED_RANGE
    if colours is not None and colours[:4] == b"nclx" and len(colours) >= 11:
        told = int.from_bytes(colours[8:10], "big")
        matrix, is_full = (matrix if told == _UNSPECIFIED else told), bool(colours[10] >> 7)
    if matrix == _UNSPECIFIED:
        matrix = _BT601
    converted = frame.reformat(
        format="rgb24",
        src_colorspace=None if frame.format.is_rgb else matrix,
        src_color_range=_FULL_RANGE if is_full else _LIMITED_RANGE,
        dst_color_range=_FULL_RANGE,
    )
    # Decoders give whole blocks where nothing tells them to cut.
    return np.asarray(converted.to_ndarray(), dtype=np.uint8)[: size[1], : size[0]]


def _transformed(image_rgb: Image, properties: Sequence[Property]) -> Image:
    """Cut, turned and mirrored, in the order of the properties."""
    for kind, content in properties:
        if kind == b"clap":
            image_rgb = _cut(image_rgb, content)
        elif kind == b"irot":
            image_rgb = np.rot90(image_rgb, content[0] & 3)
        elif kind == b"imir":
            image_rgb = image_rgb[:, ::-1] if content[0] & 1 else image_rgb[::-1]
    return image_rgb


def _cut(image_rgb: Image, clap: bytes) -> Image:
    """The clean aperture: its size, and how far its centre lies from the picture's."""
    height, width = image_rgb.shape[:2]
    numbers = struct.unpack_from(">IIIIiIiI", clap)
    across, down, right, below = (
        Fraction(n, d) for n, d in zip(numbers[::2], numbers[1::2], strict=True)
    )
    left = round(right + Fraction(width - 1, 2) - (across - 1) / 2)
    top = round(below + Fraction(height - 1, 2) - (down - 1) / 2)
    part = image_rgb[max(top, 0) : top + round(down), max(left, 0) : left + round(across)]
    return part if part.size else image_rgb
