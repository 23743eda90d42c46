"""Sending anything at all to an operation, and seeing whether it moved something."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from django.core.files.storage import default_storage
from django.http import HttpResponse
from django.test import Client

from tests.contracts import refusals
from tests.contracts.document import Operation
from tests.rows import digests

OURS = ("viewers", "catalog", "payments", "ads")

Value = TypeVar("Value")


def share(
    values: Sequence[Value], operation: Operation, among: Sequence[Operation], *, every: int = 4
) -> list[Value]:
    """An operation's part, one in `every`, of values that are read by code which all of `among` run.

    Together they take all of them.
    """
    every = min(every, len(among))
    return list(values[among.index(operation) % every :: every])


def address(
    operation: Operation, path: Mapping[str, str], query: Mapping[str, str] | None = None
) -> str:
    """The operation's URL with its path parameters put in, percent-encoded."""
    url = operation.path
    for name, value in path.items():
        url = url.replace(f"{{{name}}}", quote(value, safe=""))
    return f"{url}?{urlencode(query)}" if query else url


def send(
    client: Client,
    operation: Operation,
    url: str,
    *,
    body: bytes = b"",
    content_type: str = "application/json",
    headers: Mapping[str, str],
    **environ: str,
) -> HttpResponse:
    """One request with the operation's method. `environ` overrides the WSGI environment."""
    sent: HttpResponse = client.generic(
        operation.method, url, body, content_type, headers=dict(headers), **environ
    )
    if sent.streaming:
        # Read to its end, for only then is the file behind it closed.
        list(sent)
    return sent


def complaint(response: HttpResponse, *, codes: Collection[str]) -> str | None:
    """Why a refusal is not as it must be, or None."""
    return refusals.fault(
        response.status_code, response.headers.get("Content-Type"), _content(response), codes=codes
    )


def shown(response: HttpResponse) -> str:
    """An answer in one line, for what a failing test says."""
    return f"{response.status_code} {_content(response)[:200]!r}"


def everything() -> dict[str, Any]:
    """Every row of ours and every file of media: equal before and after means nothing moved."""
    rows: dict[str, Any] = dict(digests(OURS))
    folder = Path(default_storage.path(""))
    rows["media"] = sorted(file for file in folder.rglob("*") if file.is_file())
    return rows


def _content(response: HttpResponse) -> bytes:
    return b"" if response.streaming else response.content
