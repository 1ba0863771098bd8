"""A large job cut into numbered shards: a thousand pictures, a tar archive, a part of a video."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mien.errors import SourceError
from mien.outputs.dataset.job import ShardRow
from mien.sources.addresses import is_address
from mien.sources.items import Item
from mien.sources.listing import list_items
from mien.sources.manifests import read_manifest

SHARD_PICTURES = 1000
"""Pictures of a shard: 15 s of work. From 10^8 pictures on, take 10,000."""
PART_S = 120.0
"""Length of a part of a video, about."""


@dataclass(slots=True)
class Cutter:
    """Cuts items into shards as they come; only the pictures of one shard are kept.

    The same items give the same shards, whatever becomes of them.
    """

    shard_pictures: int = SHARD_PICTURES
    """Pictures of a shard."""
    part_s: float = PART_S
    """Length of a part of a video."""
    max_pixels: int | None = None
    """Of frames, as in `mien.sources.video_parts.length_to_cut_s`."""
    has_videos: bool = False
    """Whether there were videos among the items."""
    n_items: int = 0
    """How many items there were."""

    def shards(self, items: Iterable[Item]) -> Iterator[list[ShardRow]]:
        """The rows of each shard, in the order of their numbers."""
        pictures: list[ShardRow] = []
        number = 0
        for item in items:
            self.n_items += 1
            if item.kind == "picture":
                pictures.append(ShardRow(item.source, item.kind, item.container))
                if len(pictures) < self.shard_pictures:
                    continue
                shards, pictures = [pictures], []
            elif item.kind == "tar":
                shards = [[ShardRow(item.source, item.kind)]]
            else:
                self.has_videos = True
                shards = list(self._parts(item.source, number))
            yield from shards
            number += len(shards)
        if pictures:
            yield pictures

    def _parts(self, source: str, first: int) -> Iterator[list[ShardRow]]:
        length_s = self._length_s(source)
        if length_s is None:
            yield [ShardRow(source, "video", first_shard=first)]
            return
        n_parts = max(1, math.floor(length_s / self.part_s + 0.5))
        edges = [round(self.part_s * part, 6) for part in range(n_parts)]
        for start, end in zip(edges, [*edges[1:], None], strict=True):
            yield [
                ShardRow(
                    source, "video", from_s=start, to_s=end, first_shard=first, n_parts=n_parts
                )
            ]

    def _length_s(self, source: str) -> float | None:
        """Length of a video that can be cut; what cannot be read is told by who tries."""
        if is_address(source):
            return None
        from mien.sources.decoding import MAX_FRAME_PIXELS
        from mien.sources.video_parts import length_to_cut_s

        try:
            return length_to_cut_s(Path(source), self.max_pixels or MAX_FRAME_PIXELS)
        except SourceError:
            return None


def find_items(
    sources: Iterable[str],
    manifest: Path | None,
    *,
    on_problem: Callable[[str], None],
    on_left_out: Callable[[str], None],
) -> Iterator[Item]:
    """The items of all sources, then those of a manifest."""
    for source in sources:
        try:
            yield from list_items(source, on_left_out=on_left_out, on_failure=on_problem)
        except SourceError as error:
            on_problem(str(error))
    if manifest is not None:
        yield from read_manifest(manifest)
