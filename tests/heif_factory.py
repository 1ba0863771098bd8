"""HEIC files as phones write them: one picture or a grid of tiles, turned, mirrored and cut."""

import struct
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def full_box(kind: bytes, content: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags) + content)


def encode_hevc(image_rgb: Pixels) -> tuple[bytes, bytes]:
    """A picture as one HEVC sample (lengths before the units), and its ``hvcC``."""
    context = av.CodecContext.create("libx265", "w")
    context.height, context.width = image_rgb.shape[:2]
    context.pix_fmt, context.time_base = "yuv444p", Fraction(1, 25)
    context.options = {
        "preset": "ultrafast",
        "x265-params": "log-level=none:crf=4:keyint=1:pools=none:frame-threads=1",
    }
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image_rgb), format="rgb24")
    frame = frame.reformat(format="yuv444p", dst_colorspace=6, dst_color_range=2)
    frame.pts = 0
    packets = [*context.encode(frame), *context.encode(None)]
    units = [u for packet in packets for u in bytes(packet).split(b"\0\0\1")]
    units = [unit.rstrip(b"\0") for unit in units if unit.strip(b"\0")]
    sets = {kind: [u for u in units if u[0] >> 1 & 63 == kind] for kind in (32, 33, 34)}
    slices = [u for u in units if u[0] >> 1 & 63 < 32]
    arrays = b"".join(
        struct.pack(">BHH", 0x80 | kind, 1, len(found[0])) + found[0]
        for kind, found in sets.items()
    )
    profile = sets[33][0][3:15]  # of the sequence's parameters, where no byte had to be escaped
    header = b"\1" + profile + b"\xf0\0\xfc\xff\xf8\xf8\0\0\x0f\3"
    return b"".join(struct.pack(">I", len(u)) + u for u in slices), header + arrays


def heic(
    image_rgb: Pixels,
    *,
    tiles: tuple[int, int] | None = None,
    turns: int = 0,
    mirror: int | None = None,
    clap: tuple[int, int] | None = None,
    brand: bytes = b"heic",
    size: tuple[int, int] | None = None,
) -> bytes:
    """A HEIC file.

    Args:
        image_rgb: uint8 (H, W, 3), as it is stored; at least 64 pixels each way and tile.
        tiles: rows and columns of a grid; one picture where None.
        turns: quarter turns against the clock by which readers have to turn it.
        mirror: 0 top to bottom, 1 left to right, after the turn.
        clap: width and height of the part in the middle that is shown.
        brand: the file's major brand.
        size: width and height that the file announces; the true ones where None.
    """
    height, width = image_rgb.shape[:2]
    rows, columns = tiles or (1, 1)
    down, across = -(-height // rows), -(-width // columns)
    padded = np.pad(
        image_rgb, ((0, down * rows - height), (0, across * columns - width), (0, 0)), "edge"
    )
    parts = [
        encode_hevc(padded[r * down : (r + 1) * down, c * across : (c + 1) * across])
        for r in range(rows)
        for c in range(columns)
    ]
    shown = size or (width, height)
    tile_shape = (across, down) if tiles else shown
    properties = [
        box(b"hvcC", parts[0][1]),
        full_box(b"ispe", struct.pack(">II", *tile_shape)),
        box(b"colr", b"nclx" + struct.pack(">HHHB", 1, 13, 6, 0x80)),
    ]
    of_tiles = [1, 2, 3]
    of_picture = [] if tiles else list(of_tiles)
    if tiles:
        properties.append(full_box(b"ispe", struct.pack(">II", *shown)))
        of_picture.append(len(properties))
    if clap is not None:
        properties.append(
            box(b"clap", struct.pack(">IIIIiIiI", clap[0], 1, clap[1], 1, 0, 1, 0, 1))
        )
        of_picture.append(len(properties))
    if turns:
        properties.append(box(b"irot", bytes([turns])))
        of_picture.append(len(properties))
    if mirror is not None:
        properties.append(box(b"imir", bytes([mirror])))
        of_picture.append(len(properties))
    items = [(number, b"hvc1", data) for number, (data, _) in enumerate(parts, 1)]
    associated = {number: of_tiles for number, _, _ in items}
    primary = len(items) + 1 if tiles else 1
    references = b""
    if tiles:
        grid = bytes([0, 0, rows - 1, columns - 1]) + struct.pack(">HH", *shown)
        items.append((primary, b"grid", grid))
        ids = [number for number, _, _ in items[:-1]]
        content = struct.pack(f">HH{len(ids)}H", primary, len(ids), *ids)
        references = full_box(b"iref", box(b"dimg", content))
    associated[primary] = of_picture
    return _file(brand, items, primary, properties, associated, references)


def _file(
    brand: bytes,
    items: Sequence[tuple[int, bytes, bytes]],
    primary: int,
    properties: Sequence[bytes],
    associated: dict[int, list[int]],
    references: bytes,
) -> bytes:
    entries = b"".join(
        full_box(b"infe", struct.pack(">HH4s", number, 0, kind) + b"\0", version=2)
        for number, kind, _ in items
    )
    links = b"".join(
        struct.pack(">HB", number, len(of)) + bytes(0x80 | index for index in of)
        for number, of in associated.items()
    )

    def meta(first: int) -> bytes:
        places, at = b"", first
        for number, _, data in items:
            places += struct.pack(">HHHII", number, 0, 1, at, len(data))
            at += len(data)
        return full_box(
            b"meta",
            full_box(b"hdlr", struct.pack(">I4s12xx", 0, b"pict"))
            + full_box(b"pitm", struct.pack(">H", primary))
            + full_box(b"iloc", b"\x44\0" + struct.pack(">H", len(items)) + places)
            + full_box(b"iinf", struct.pack(">H", len(items)) + entries)
            + references
            + box(
                b"iprp",
                box(b"ipco", b"".join(properties))
                + full_box(b"ipma", struct.pack(">I", len(associated)) + links),
            ),
        )

    start = box(b"ftyp", brand + b"\0\0\0\0" + b"mif1" + brand)
    first = len(start) + len(meta(0)) + 8
    return start + meta(first) + box(b"mdat", b"".join(data for _, _, data in items))
