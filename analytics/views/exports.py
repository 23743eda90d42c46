"""Exports over HTTP: asked for, looked at, cancelled, and downloaded by short links."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from django.core.files.base import File
from django.http import HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from msgspec import UNSET, Meta, UnsetType
from rest_framework.request import Request

from analytics import tasks
from analytics.exports import file_store, jobs, links, questions
from analytics.exports.callers import Caller
from analytics.exports.datasets import DATASETS
from analytics.exports.jobs import TooManyExports
from analytics.exports.links import ExportGone, LinkRefused
from analytics.exports.questions import Exportable, QuestionInvalid
from analytics.models import Export, ExportState
from config import client_address, pages
from config.bodies import AnswerShape, RequestShape
from config.endpoints import operation
from config.pages import CursorInvalid
from config.problems import NotFound
from config.table_files import CONTENT_TYPES, FILE_TYPES, TableFormat
from viewers import api_keys
from viewers.authentication import AnalystEndpoint, UnstoredEndpoint

TOKEN_CHARACTERS = 600
PART_BYTES = 64 * 1024

Moment = Annotated[datetime, Meta(tz=True)]


#: A member of a query, whose own report says what it may be.
Said = str | Annotated[int, Meta(ge=-(10**9), le=10**9)]


class ExportRequest(RequestShape):
    """A report with the query that its own address takes, or a data set with `since`, `until` and `cursor`."""

    name: Exportable
    query: dict[str, Said] = {}
    format: TableFormat = TableFormat.CSV


class ExportFailure(AnswerShape):
    """Why there is no file: a problem's code, and a sentence."""

    code: str
    detail: str


class ExportAnswer(AnswerShape):
    """`percent` and `row_count` grow while it is running. `link` is there when it is done, a new one each time.

    `next_cursor` of a data set is the `cursor` with which the next export goes on where this one ended.
    """

    id: UUID
    name: str
    query: dict[str, Said]
    format: TableFormat
    state: ExportState
    percent: int
    row_count: int
    size_bytes: int | None
    next_cursor: str | None
    problem: ExportFailure | None
    created_at: Moment
    finished_at: Moment | None
    expires_at: Moment | None
    link: str | None
    link_expires_at: Moment | None


class ExportPage(AnswerShape):
    """The caller's exports, the newest first."""

    exports: list[ExportAnswer]
    next_cursor: str | None


class ExportPageQuery(RequestShape):
    """A page of at most `limit`, from `cursor` on."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: str | UnsetType = UNSET


class FileQuery(RequestShape, kw_only=True):
    """What the link carries."""

    token: Annotated[str, Meta(max_length=TOKEN_CHARACTERS)]


class _OwnExports(AnalystEndpoint):
    @property
    def caller(self) -> Caller:
        """The key, and where it calls from."""
        return Caller(api_key_id=self.api_key.id, address=client_address.read(self.http_request()))


class Exports(_OwnExports):
    @operation(
        summary="Ask for an export",
        body=ExportRequest,
        answer=ExportAnswer,
        status=HTTPStatus.ACCEPTED,
        refusals=(QuestionInvalid, TooManyExports),
    )
    def post(self, request: Request, *, now: datetime, body: ExportRequest) -> ExportAnswer:
        """A report or rows as a file that is made soon; the same again, while it waits, is the same export.

        The ledger's entries take the scope `finance:read` besides.
        """
        if body.name in DATASETS:
            api_keys.require(key=self.api_key, scope=DATASETS[body.name].scope)
        questions.read(body.name, body.query)
        export = jobs.ask(
            by=self.caller,
            name=str(body.name),
            question=body.query,
            file_format=body.format,
            now=now,
        )
        tasks.ring_for_exports()
        return _answer(export, by=self.caller, now=now)

    @operation(
        summary="My exports",
        query=ExportPageQuery,
        answer=ExportPage,
        refusals=(CursorInvalid,),
    )
    def get(self, request: Request, *, now: datetime, query: ExportPageQuery) -> ExportPage:
        """Those of the calling key, also of those whose file is deleted."""
        rows = Export.objects.filter(**self.caller.who).order_by("-id")
        if not isinstance(query.cursor, UnsetType):
            (before,) = pages.decode(query.cursor, tuple[UUID])
            rows = rows.filter(id__lt=before)
        page, next_cursor = pages.cut(
            list(rows[: query.limit + 1]),
            limit=query.limit,
            position=lambda export: [str(export.id)],
        )
        answers = [_answer(export, by=self.caller, now=now) for export in page]
        return ExportPage(exports=answers, next_cursor=next_cursor)


class ExportEndpoint(_OwnExports):
    @operation(summary="An export", answer=ExportAnswer, refusals=(NotFound,))
    def get(self, request: Request, *, now: datetime, export_id: UUID) -> ExportAnswer:
        """How far it is, and a link to its file when it is done."""
        return _answer(jobs.own(self.caller, export_id), by=self.caller, now=now)

    @operation(summary="Cancel an export", answer=ExportAnswer, refusals=(NotFound,))
    def delete(self, request: Request, *, now: datetime, export_id: UUID) -> ExportAnswer:
        """Stops it, or deletes its file; what is over stays as it is."""
        export = jobs.cancel(jobs.own(self.caller, export_id), by=self.caller, now=now)
        return _answer(export, by=self.caller, now=now)


class ExportFile(UnstoredEndpoint):
    @operation(
        summary="The file of an export",
        query=FileQuery,
        answer=OpenApiTypes.OBJECT,
        refusals=(LinkRefused, ExportGone),
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: FileQuery, export_id: UUID
    ) -> HttpResponseBase:
        """What a link opens. Where files are kept in a bucket, it redirects to the bucket's own."""
        export = links.follow(
            export_id, query.token, address=client_address.read(self.http_request()), now=now
        )
        name = f"{export.name}.{export.file_format}"
        content_type = CONTENT_TYPES[TableFormat(export.file_format)]
        elsewhere = file_store.own_address(export.path, file_name=name, content_type=content_type)
        if elsewhere is not None:
            return HttpResponseRedirect(elsewhere)
        return StreamingHttpResponse(
            _Parts(_opened(export)),
            content_type=content_type,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Content-Length": str(export.size_bytes),
            },
        )


class _Parts:
    """A file's content. The file is closed at its end, or when the server lets go of it before."""

    def __init__(self, file: File[bytes]) -> None:
        self._file, self.close = file, file.close

    def __iter__(self) -> "_Parts":
        return self

    def __next__(self) -> bytes:
        part: bytes = self._file.read(PART_BYTES)
        if not part:
            self.close()
            raise StopIteration
        return part


def _opened(export: Export) -> File[bytes]:
    """Its file. Raises ExportGone for one that is deleted at this moment."""
    try:
        return file_store.storage().open(export.path)
    except FileNotFoundError as error:
        raise ExportGone from error


def _answer(export: Export, *, by: Caller, now: datetime) -> ExportAnswer:
    link, link_expires_at = None, None
    is_open = export.expires_at is not None and now < export.expires_at
    if export.state == ExportState.DONE and is_open:
        link, link_expires_at = links.address(export, by=by, now=now)
    told = ("id", "name", "percent", "row_count", "size_bytes", "created_at", "finished_at")
    failure = ExportFailure(code=export.failure, detail=export.failure_detail)
    return ExportAnswer(
        **{name: getattr(export, name) for name in told},
        expires_at=export.expires_at,
        query=export.question,
        format=TableFormat(export.file_format),
        state=ExportState(export.state),
        next_cursor=export.next_cursor or None,
        problem=failure if export.failure else None,
        link=link,
        link_expires_at=link_expires_at,
    )
