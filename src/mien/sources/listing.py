"""Everything that a person names for a large job, one item after the other."""

import glob
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from mien.errors import SourceError
from mien.finding import is_file_or_broken, left_out, look_at, walk
from mien.images import IMAGE_SUFFIXES
from mien.sources import VIDEO_SUFFIXES, is_video
from mien.sources.addresses import is_address, masked
from mien.sources.animations import is_animation
from mien.sources.items import TAR_SUFFIXES, Item, ItemKind, zip_pictures
from mien.sources.remote import find_at

_ZIP_SUFFIX = ".zip"
_PATTERN = re.compile(r"[*?\[]")


def list_items(
    source: str,
    *,
    on_left_out: Callable[[str], None] = lambda line: None,
    on_failure: Callable[[str], None] = lambda line: None,
) -> Iterator[Item]:
    """The items of a source: a file, a folder, a pattern, an archive or an address.

    Folders are gone through with all below them, archives in them included. Items come in the
    order of their names, so the same source gives the same items. Nothing but names is kept.

    Args:
        source: what a person named.
        on_left_out: told of each folder how much of it is nothing to recognise.
        on_failure: told of each folder in it, and each archive, that cannot be read.

    Raises:
        SourceError: there is nothing there.
    """
    if not source:
        raise SourceError("the name of a source is empty; name a file or folder")
    if is_address(source):
        items = [item for found in find_at(source) for item in _of_name(found, on_failure)]
        if not items:
            raise SourceError(
                f"{masked(source)} holds no pictures, videos or archives; give another address"
            )
        yield from items
        return
    kind = look_at(source)
    if kind == "folder":
        yield from _of_folder(Path(source), on_left_out, on_failure)
    elif kind == "file":
        yield from _of_file(source, on_failure)
    elif kind == "nothing" and _PATTERN.search(source):
        found = sorted(glob.glob(source, recursive=True))
        if not found:
            raise SourceError(f"nothing fits {source}; name a file or folder")
        for one in found:
            if look_at(one) == "file":
                yield from _of_name(one, on_failure)
    elif kind == "nothing":
        raise SourceError(f"no such file or folder: {source}")
    else:
        raise SourceError(f"{source} is a pipe or device; name a file or folder")


def kind_by_name(name: str) -> ItemKind | None:
    """What a file is, by its ending; None where that says nothing. Zip archives have no kind, as
    they are taken apart."""
    lower = name.lower()
    if lower.endswith(TAR_SUFFIXES):
        return "tar"
    suffix = "." + lower.rsplit(".", 1)[-1]
    if suffix in VIDEO_SUFFIXES:
        return "video"
    return "picture" if suffix in IMAGE_SUFFIXES else None


def _of_folder(
    folder: Path, on_left_out: Callable[[str], None], on_failure: Callable[[str], None]
) -> Iterator[Item]:
    tree = walk(folder)
    for below, reason in tree.unreadable:
        on_failure(f"cannot read {folder / below}: {reason}; its files are left out")
    others, devices, n_items = [], 0, 0
    start = "" if str(folder) == "." else f"{str(folder).rstrip('/')}/"
    for name in tree.files:
        path = start + name
        found = 0
        if kind_by_name(name) or name.lower().endswith(_ZIP_SUFFIX):
            if is_file_or_broken(Path(path)):
                for item in _of_name(path, on_failure):
                    found += 1
                    yield item
            else:
                devices += 1
        else:
            others.append(name)
        n_items += found
    line = left_out(others, devices=devices, hidden=tree.hidden, repeated=tree.repeated)
    if not n_items:
        raise SourceError(
            f"{folder} holds no pictures, videos or archives; "
            f"name a folder of JPEG, PNG, WebP or MP4 files{line and f' ({line})'}"
        )
    if line:
        on_left_out(f"{folder}: {line}")


def _of_file(path: str, on_failure: Callable[[str], None]) -> Iterator[Item]:
    if kind_by_name(path) is None and not path.lower().endswith(_ZIP_SUFFIX):
        yield Item(path, "video" if is_video(Path(path)) else "picture")
    else:
        yield from _of_name(path, on_failure)


def _of_name(name: str, on_failure: Callable[[str], None]) -> Iterator[Item]:
    """The items of a file or address that is there."""
    if name.lower().endswith(_ZIP_SUFFIX):
        try:
            members = zip_pictures(name)
        except SourceError as error:
            on_failure(str(error))
            return
        for member in members:
            yield Item(f"{name}/{member}", "picture", name)
        return
    kind = kind_by_name(name)
    if kind == "picture" and not is_address(name) and is_animation(Path(name)):
        kind = "video"
    if kind is not None:
        yield Item(name, kind)
