"""Stores' files of what they settled: brought by operators or dropped in a folder, kept, and compared once."""

import hashlib
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings

from payments.models import Provider, ReportState, RunState, StoreReport
from payments.providers.base import Listed, Lists, ProviderError, Reports
from payments.reconciliation import runs
from payments.store import purchases
from viewers.models import Environment

logger = logging.getLogger(__name__)

#: One whose store does not answer is tried again after that.
AGAIN = timedelta(hours=1)
#: Something unforeseen may pass, and is no reason to try for ever.
ATTEMPTS = 3
MAXIMUM_BYTES = 64 * 1024 * 1024


class ReportRefused(Exception):
    """It cannot be taken; the message tells an operator why."""


def providers() -> list[str]:
    """The stores whose reports can be read."""
    return [name for name, adapter in purchases.adapters().items() if isinstance(adapter, Reports)]


def keep(
    body: bytes,
    *,
    provider: str,
    environment: str,
    name: str,
    operator_id: int | None,
    now: datetime,
) -> tuple[StoreReport, bool]:
    """Keeps a report, to be read by the next sweep; the same file again is the same. Raises ReportRefused for one
    of a store whose reports are not read, or that is too large."""
    if provider not in providers():
        raise ReportRefused("Reports of this store are not read.")
    if not body or len(body) > MAXIMUM_BYTES:
        raise ReportRefused(f"A report has up to {MAXIMUM_BYTES // 1024 // 1024} MB.")
    return StoreReport.objects.get_or_create(
        provider=provider,
        environment=environment,
        sha256=hashlib.sha256(body).hexdigest(),
        defaults={
            "name": name[:200],
            "body": body,
            "brought_by_id": operator_id,
            "received_at": now,
        },
    )


def collect(*, now: datetime) -> int:
    """Keeps the files of the folder that are new; returns how many. They stay where they are."""
    kept = 0
    for provider, environment, path in _dropped():
        try:
            _, is_new = keep(
                path.read_bytes(),
                provider=provider,
                environment=environment,
                name=path.name,
                operator_id=None,
                now=now,
            )
            kept += is_new
        except (OSError, ReportRefused) as error:
            logger.warning("%s is not taken: %s", path, error)
    return kept


def read_next(*, now: datetime) -> int:
    """Compares the report that has waited longest; returns how many, 0 or 1. The caller holds `runs.LOCK`."""
    report = (
        StoreReport.objects.filter(state=ReportState.WAITING)
        .exclude(read_at__gt=now - AGAIN)
        .order_by("received_at")
        .first()
    )
    if report is None:
        return 0
    try:
        _read(report, now)
    except SoftTimeLimitExceeded:
        _settle(report, ReportState.WAITING, "It took too long.", now)
        raise
    except Exception as error:
        # One that nobody has thought of does not keep the other reports waiting.
        logger.exception("%s could not be read", report)
        report.attempts += 1
        is_over = report.attempts >= ATTEMPTS
        _settle(report, ReportState.REFUSED if is_over else ReportState.WAITING, repr(error), now)
    return 1


def _read(report: StoreReport, now: datetime) -> None:
    try:
        adapter, found = _lines(report, now)
    except ProviderError as error:
        state = ReportState.REFUSED if error.permanent else ReportState.WAITING
        _settle(report, state, error.reason, now)
        return
    run = runs.of_report(report, found, adapter, now=now)
    is_done = run.state == RunState.FINISHED
    _settle(report, ReportState.READ if is_done else ReportState.WAITING, run.reason, now)


def _lines(report: StoreReport, now: datetime) -> tuple[Lists, list[Listed]]:
    adapter = purchases.adapter(report.provider)
    assert isinstance(adapter, Reports)  # noqa: S101  `keep` takes no other
    assert isinstance(adapter, Lists)  # noqa: S101
    found = adapter.reported(bytes(report.body), environment=report.environment, now=now)
    return adapter, list(found)


def _settle(report: StoreReport, state: ReportState, reason: str, now: datetime) -> None:
    report.state, report.reason, report.read_at = state, reason[:500], now
    report.save(update_fields=["state", "reason", "read_at", "attempts"])


def _dropped() -> Iterator[tuple[str, str, Path]]:
    """The folder's files, by the store and environment whose folder they are in."""
    if not settings.STORE_REPORTS_FOLDER:
        return
    folder = Path(settings.STORE_REPORTS_FOLDER)
    for provider in Provider.values:
        for environment in Environment.values:
            place = folder / provider / environment
            if place.is_dir():
                for path in sorted(place.iterdir()):
                    if path.is_file():
                        yield provider, environment, path
