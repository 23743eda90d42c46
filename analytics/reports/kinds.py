"""What the columns of a report hold, read off its members, so that a file's types depend on no figure."""

import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from config.table_files import KINDS, widest


@cache
def of(shape: type[msgspec.Struct]) -> Mapping[str, type]:
    """The kind of each member by its name, also of structs inside; text for ids and choices.

    Members of one name and of several kinds are of the one that holds all of them.
    """
    found: dict[str, type] = {}
    for name, kind in _members(shape, set()):
        found[name] = widest(found.get(name, kind), kind)
    return found


def _members(shape: type, seen: set[type]) -> Iterator[tuple[str, type]]:
    if shape in seen:
        return
    seen.add(shape)
    for name, hint in get_type_hints(shape).items():
        for inner in _leaves(hint):
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                yield from _members(inner, seen)
            else:
                yield name, _kind(inner)


def _leaves(hint: Any) -> Iterator[Any]:
    """The types that a member's hint is made of, without None and the collections around them."""
    if get_origin(hint) in (Union, types.UnionType) or get_args(hint):
        for inner in get_args(hint):
            yield from _leaves(inner)
    elif hint not in (type(None), Ellipsis):
        yield hint


def _kind(hint: Any) -> type:
    named = (kind for kind in KINDS if isinstance(hint, type) and issubclass(hint, kind))
    return next(named, str)
