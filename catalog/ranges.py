"""Byte ranges of RFC 9110, section 14, for one file."""

import re
from typing import NamedTuple

#: A single range: first and last byte, either of which may be left out, but not both.
_SINGLE = re.compile(r"bytes=[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t]*", re.IGNORECASE)
#: Past any file; longer numbers would be refused by `int` long before they are by a disk.
_DIGITS = 18


class Unsatisfiable(Exception):
    """The range lies wholly outside the file: 416 (section 15.5.17)."""


class Part(NamedTuple):
    """From byte `first` to byte `last`, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1


def select(header: str | None, *, size_bytes: int) -> Part | None:
    """The part of a file that a Range header asks for; None when the whole file is the answer.

    A malformed header is ignored (section 14.2), and so is one of several ranges, which a server
    may answer whole. Raises Unsatisfiable.
    """
    form = _SINGLE.fullmatch(header or "")
    if form is None:
        return None
    first, last, suffix = form.groups()
    if suffix is not None:
        return _suffix(_number(suffix), size_bytes)
    if last and _number(last) < _number(first):
        return None
    if _number(first) >= size_bytes:
        raise Unsatisfiable
    end = min(_number(last), size_bytes - 1) if last else size_bytes - 1
    return Part(_number(first), end)


def _suffix(length: int, size_bytes: int) -> Part:
    if length == 0 or size_bytes == 0:
        raise Unsatisfiable
    return Part(max(size_bytes - length, 0), size_bytes - 1)


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= _DIGITS else 10**_DIGITS
