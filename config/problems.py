"""Refusals that a caller is meant to read.

A domain function raises a Problem; the interface answers it as `application/problem+json`
(RFC 9457). Each subclass carries a stable `code` for programs and a `title` for people;
`config.api_errors` is the one table from code to HTTP status.
"""

from collections.abc import Mapping
from typing import ClassVar


class Problem(Exception):
    """An expected refusal. `detail` tells this case apart, `extra` adds members to the answer."""

    code: ClassVar[str]
    title: ClassVar[str]
    headers: Mapping[str, str] = {}

    def __init__(self, detail: str = "", /, **extra: object) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.extra: Mapping[str, object] = extra

    def members(self) -> dict[str, object]:
        """The problem's own members, without the HTTP status that the interface adds."""
        shown: dict[str, object] = {"type": "about:blank", "title": self.title, "code": self.code}
        if self.detail:
            shown["detail"] = self.detail
        return shown | dict(self.extra)


class MalformedBody(Problem):
    code = "malformed_body"
    title = "The request body is not valid JSON of the documented shape"


class BodyTooLarge(Problem):
    code = "body_too_large"
    title = "The request body is larger than this endpoint takes"


class LengthRequired(Problem):
    code = "length_required"
    title = "The request body comes without a Content-Length that can be read"


class UnsupportedMediaType(Problem):
    code = "unsupported_media_type"
    title = "The Content-Type of the request body is not one that this endpoint takes"


class BadParameter(Problem):
    code = "bad_parameter"
    title = "A query parameter or header is not what this endpoint takes"


class NotFound(Problem):
    code = "not_found"
    title = "There is no such thing here, or it is not yours to see"
