"""Short signed links to an export's file: bound to the export and to whom it was given, for minutes, and while
those are trusted.

Whoever holds a link downloads with it and needs no credential, so it is short; each download is on record.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction

from analytics.exports import callers
from analytics.exports.callers import Caller
from analytics.models import Export, ExportAct, ExportState
from config import seals
from config.problems import Problem

_PURPOSE = "export-link"


class LinkRefused(Problem):
    code = "export_link_refused"
    title = "This link is expired, altered or another export's; read the export again for a new one"


class ExportGone(Problem):
    code = "export_gone"
    title = "The export has expired or was cancelled, and its file is deleted"


class _Claims(msgspec.Struct, array_like=True, frozen=True):
    export_id: UUID
    api_key_id: UUID | None
    operator_id: int | None
    expires: int


def address(export: Export, *, by: Caller, now: datetime) -> tuple[str, datetime]:
    """A link for the caller, and until when it opens the file of an export that is done."""
    expires_at = now + timedelta(seconds=settings.EXPORT_LINK_SECONDS)
    claims = _Claims(export.id, by.api_key_id, by.operator_id, int(expires_at.timestamp()))
    token = seals.seal(_PURPOSE, msgspec.json.encode(claims))
    url = f"{settings.PUBLIC_URL}/v1/analytics/exports/{export.id}/file?token={token}"
    return url, datetime.fromtimestamp(claims.expires, UTC)


def follow(export_id: UUID, token: str, *, address: str | None, now: datetime) -> Export:
    """The export whose file may be sent, noted as downloaded. Raises LinkRefused and ExportGone."""
    claims = _read(token)
    if claims.export_id != export_id or now.timestamp() >= claims.expires:
        raise LinkRefused
    by = Caller(claims.api_key_id, claims.operator_id, address)
    with transaction.atomic(durable=True):
        asked = Export.objects.filter(id=export_id, **by.who)
        export = asked.select_related("api_key", "operator").first()
        if export is None or not _is_trusted(export, now=now):
            raise LinkRefused
        if (
            export.state != ExportState.DONE
            or export.expires_at is None
            or export.expires_at <= now
        ):
            raise ExportGone
        callers.record(export, ExportAct.DOWNLOADED, by=by, now=now)
    return export


def _is_trusted(export: Export, *, now: datetime) -> bool:
    """False from the moment on at which the key is revoked, or the operator may export no more."""
    if export.api_key is not None:
        return export.api_key.is_live(now)
    return export.operator is not None and bool(export.operator.has_perm("analytics.add_export"))


def _read(token: str) -> _Claims:
    try:
        return msgspec.json.decode(seals.unseal(_PURPOSE, token), type=_Claims)
    except (seals.SealBroken, msgspec.DecodeError) as error:
        raise LinkRefused from error
