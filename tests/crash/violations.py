"""What an audit finds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """A promise that was broken, and where."""

    rule: str
    detail: str
