"""What goes over a peer's wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import msgspec

Shape = TypeVar("Shape")


@dataclass(frozen=True)
class Request:
    """A request as it came. Names of headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> Mapping[str, Sequence[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    def argument(self, name: str, otherwise: str = "") -> str:
        """The first of a query's values of that name."""
        return next(iter(self.query.get(name, [])), otherwise)

    def read(self, shape: type[Shape]) -> Shape:
        """The body as JSON of a shape. Raises Rejected with a 400."""
        try:
            return msgspec.json.decode(self.body or b"{}", type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Rejected(Answer.of({"error": str(error)}, status=400)) from error


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> "Answer":
        """A value as JSON."""
        return cls(status=status, body=msgspec.json.encode(value), headers=headers or {})


class Rejected(Exception):
    """The request is answered so, and nothing more is done."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status} {answer.body[:200]!r}")
        self.answer = answer
