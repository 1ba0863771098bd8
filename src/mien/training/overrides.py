"""Fields of nested frozen dataclasses set by dotted names, as on a command line."""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from mien.errors import RecipeError
from mien.former_names import FORMER_NAMES
from mien.spelling import did_you_mean


def with_overrides(owner: Any, overrides: Sequence[str]) -> Any:
    """A copy of a dataclass with fields set by name.

    Args:
        owner: a frozen dataclass, whose fields may be dataclasses, or tuples of them.
        overrides: ``name=value``, ``group.name=value`` or ``list.0.name=value``, the value as
            JSON or a bare word. A group that is not there (None) is made from its defaults.

    What fields must have in common is checked when all are set, so their order does not matter.

    Raises:
        RecipeError: a field does not exist or a value is impossible.
    """
    changed: dict[str, Any] = {}
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            raise RecipeError(f"--set {override}: expected FIELD=VALUE")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        path = [field_of(name), *name.strip().split(".")[1:]]
        changed[path[0]] = _value(owner, path, value, changed)
    return _replaced(owner, changed)


def field_of(override: str) -> str:
    """The dataclass's own field that ``name=value`` or ``name.inner=value`` sets."""
    name = override.partition("=")[0].partition(".")[0].strip()
    return FORMER_NAMES.get(name, name)


def _with_field(owner: Any, path: list[str], value: Any) -> Any:
    return _replaced(owner, {path[0]: _value(owner, path, value, {})})


def _replaced(owner: Any, changed: Mapping[str, Any]) -> Any:
    try:
        return dataclasses.replace(owner, **changed)
    except (TypeError, ValueError) as error:
        which = " and ".join(f"{name!r} cannot be {value!r}" for name, value in changed.items())
        raise RecipeError(f"recipe field {which}: {error}") from error


def _value(owner: Any, path: list[str], value: Any, changed: Mapping[str, Any]) -> Any:
    """What the first field of the path becomes."""
    name, *rest = path
    known = [field.name for field in dataclasses.fields(owner)]
    if name not in known:
        raise RecipeError(f"{_whose(owner)} no field {name!r}; {_instead(owner, path, known)}")
    current = changed.get(name, getattr(owner, name))
    kind = typing.get_type_hints(type(owner))[name]
    if rest:
        value = _inside(name, current, kind, rest, value)
    elif dataclasses.is_dataclass(current) and value is not None:
        raise RecipeError(f"recipe field {name!r} is a group; set its fields by name")
    elif isinstance(current, tuple) and isinstance(value, list) and not any(map(_group, current)):
        value = tuple(value)
    elif not _fits(kind, value):
        raise RecipeError(f"recipe field {name!r} cannot be {value!r}; it takes {_words(kind)}")
    return value


def _inside(name: str, current: Any, kind: Any, rest: list[str], value: Any) -> Any:
    """The group or list ``current`` with something in it set."""
    if current is None and (made := _group_of(kind)) is not None:
        current = made()
    if dataclasses.is_dataclass(current):
        return _with_field(current, rest, value)
    if isinstance(current, tuple) and rest[0].isdecimal() and len(rest) > 1:
        index = int(rest[0])
        if index >= len(current):
            raise RecipeError(
                f"recipe field {name!r} has {len(current)} entries; there is no {name}.{index} "
                "(the first is 0)"
            )
        changed = _with_field(current[index], rest[1:], value)
        return (*current[:index], changed, *current[index + 1 :])
    raise RecipeError(f"recipe field {name!r} has no field {rest[0]!r}")


def _instead(owner: Any, path: Sequence[str], known: Sequence[str]) -> str:
    """What may have been meant by a path whose first name is none of the fields."""
    there = [*known, *_inner(owner)]
    if near := did_you_mean(".".join(path), there) or did_you_mean(path[-1], there):
        return near
    shown = known[:_SHOWN]
    more = len(known) - len(shown)
    where = f"{type(owner).__module__}.{type(owner).__qualname__}"
    after = f" and {more} more, which pydoc {where} explains" if more else ""
    return f"known: {', '.join(shown)}{after}"


_SHOWN = 9
"""Fields that a message names where none is near; a recipe has many more."""


def _inner(owner: Any) -> list[str]:
    """The fields of a dataclass's groups, with the names of the groups; not of lists of groups."""
    found = []
    for name, kind in typing.get_type_hints(type(owner)).items():
        here = getattr(owner, name)
        group = type(here) if _group(here) else _group_of(kind)
        if group is not None and not isinstance(here, tuple):
            found += [f"{name}.{field.name}" for field in dataclasses.fields(group)]
    return found


def _whose(owner: Any) -> str:
    kind = type(owner).__name__
    return "a recipe has" if kind == "Recipe" else f"{kind} in the recipe has"


_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _words(kind: Any) -> str:
    """A field's declared kind in words."""
    if kind is type(None):
        return "null"
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_words, typing.get_args(kind)))
    if origin is typing.Literal:
        return " or ".join(typing.get_args(kind))
    if origin is tuple:
        return "a list"
    if dataclasses.is_dataclass(kind):
        return "its fields by name"
    return _WORDS.get(kind, "a group")


def _group(value: Any) -> bool:
    return dataclasses.is_dataclass(value)


def _group_of(kind: Any) -> Any:
    """The dataclass in ``Group | None``; None where there is none."""
    return next((part for part in typing.get_args(kind) if dataclasses.is_dataclass(part)), None)


def _fits(kind: Any, value: Any) -> bool:
    """Whether a JSON value is of a field's declared kind."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(part, value) for part in typing.get_args(kind))
    if origin is typing.Literal:
        return isinstance(value, str)  # the dataclass says which words there are
    if kind is type(None):
        return value is None
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if kind is float:
        return isinstance(value, int | float)
    if origin is tuple:
        return isinstance(value, list) and not value  # an empty list: none of them
    if origin is not None:
        return isinstance(value, origin)
    return isinstance(kind, type) and isinstance(value, kind)
