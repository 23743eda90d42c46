"""The public keys of ad networks: kept in the database, fetched ahead of time by a task.

A request never fetches. A callback signed with a key that we do not have marks the keys as wanted
and is asked to come again; once keys fetched since do not hold it either, it is forged.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import httpx
from django.db.models import F, Q

from ads import adapters
from ads.models import Placement, VerifierKeys
from ads.networks.base import Keys, NetworkAdapter, NetworkError

logger = logging.getLogger(__name__)

MAXIMUM_AGE_SECONDS = 24 * 3600
PAUSE = timedelta(minutes=1)
TIMEOUT = httpx.Timeout(8, connect=2)
MAXIMUM_BYTES = 1024 * 1024


class FetchFailed(Exception):
    """The network did not answer with a key document."""


@dataclass(frozen=True)
class Fetched:
    """A key document as it was published, and how long it may be kept."""

    document: bytes
    max_age_seconds: int


def current(network: str) -> Keys:
    """The keys to verify a network's callbacks with. Raises NetworkUnknown."""
    adapter = adapters.find(network)
    document = None
    if adapter.keys_url:
        kept = VerifierKeys.objects.filter(network=network).values_list("document", flat=True)
        document = kept.first()
    return _parsed(network, adapter.document if document is None else bytes(document))


@dataclass(frozen=True)
class Wanted:
    """What came of wanting a key. `is_in_vain`: there is nothing to wait for. `is_first`: nobody has wanted one
    since the last fetch. `are_current`: the keys that we have are those that the network has published lately."""

    is_in_vain: bool
    is_first: bool
    are_current: bool


_IN_VAIN = Wanted(is_in_vain=True, is_first=False, are_current=True)


def want(network: str, *, now: datetime) -> Wanted:
    """Notes that a callback named a key that is not among the current ones.

    In vain when keys fetched within the last minute do not hold it, or the network's keys never change.
    """
    adapter = adapters.find(network)
    if not adapter.keys_url:
        return _IN_VAIN
    kept, _ = VerifierKeys.objects.get_or_create(
        network=network, defaults={"document": adapter.document}
    )
    if kept.fetched_at is not None and kept.fetched_at > now - PAUSE:
        return _IN_VAIN
    # Once is enough until the next fetch: a stranger's callbacks must not write a row each. Keys that were fetched
    # in this moment may hold it: the callback comes again before they are wanted anew.
    marked = VerifierKeys.objects.filter(
        Q(wanted_at__isnull=True) | Q(wanted_at__lte=F("fetched_at")),
        network=network,
        fetched_at=kept.fetched_at,
    ).update(wanted_at=now)
    return Wanted(is_in_vain=False, is_first=marked == 1, are_current=_are_current(kept, now))


def refresh(*, now: datetime) -> int:
    """Fetches the keys that are due, each between transactions; returns how many were fetched.

    Due are keys past half their age, of networks that a placement uses, and keys that a callback
    wants; none more than once a minute. What fails leaves the keys as they are.
    """
    return sum(
        _refresh(network, adapters.find(network), now)
        for network in adapters.names()
        if adapters.find(network).keys_url and _is_due(network, now) and _claim(network, now)
    )


def fetch(url: str) -> Fetched:
    """The key document at `url`. Raises FetchFailed."""
    try:
        with httpx.stream("GET", url, timeout=TIMEOUT, follow_redirects=False) as response:
            if response.status_code != httpx.codes.OK:
                raise FetchFailed(f"answered {response.status_code}")
            document = b""
            for piece in response.iter_bytes(64 * 1024):
                document += piece
                if len(document) > MAXIMUM_BYTES:
                    raise FetchFailed("the document is larger than 1 MB")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FetchFailed(f"{type(error).__name__}: {error}") from error
    return Fetched(document, _max_age_seconds(response.headers.get("Cache-Control", "")))


def _is_due(network: str, now: datetime) -> bool:
    kept = VerifierKeys.objects.filter(network=network).first()
    if kept is not None and _is_wanted(kept):
        return True
    if not Placement.objects.filter(network=network).exists():
        return False
    if kept is None or kept.fetched_at is None:
        return True
    return kept.fetched_at + timedelta(seconds=kept.max_age_seconds) / 2 <= now


def _are_current(kept: VerifierKeys, now: datetime) -> bool:
    """Whether they were fetched when that was last tried, and may still be kept."""
    if kept.fetched_at is None or kept.failure:
        return False
    return now < kept.fetched_at + timedelta(seconds=kept.max_age_seconds)


def _is_wanted(kept: VerifierKeys) -> bool:
    return kept.wanted_at is not None and (
        kept.fetched_at is None or kept.wanted_at > kept.fetched_at
    )


def _claim(network: str, now: datetime) -> bool:
    """Takes the fetch upon us, unless somebody tried within the last minute."""
    VerifierKeys.objects.get_or_create(
        network=network, defaults={"document": adapters.find(network).document}
    )
    rested = Q(attempted_at__isnull=True) | Q(attempted_at__lte=now - PAUSE)
    claimed = VerifierKeys.objects.filter(rested, network=network).update(attempted_at=now)
    return claimed == 1


def _refresh(network: str, adapter: NetworkAdapter, now: datetime) -> bool:
    row = VerifierKeys.objects.filter(network=network)
    try:
        fetched = fetch(adapter.keys_url)
        adapter.keys(fetched.document)
    except (FetchFailed, NetworkError) as error:
        logger.warning("the keys of %s were not fetched: %s", network, error)
        row.update(failure=str(error)[:300])
        return False
    row.update(
        document=fetched.document,
        max_age_seconds=fetched.max_age_seconds,
        fetched_at=now,
        failure="",
    )
    return True


def _max_age_seconds(cache_control: str) -> int:
    """What Cache-Control allows, at most a day; a day when it says nothing."""
    for directive in cache_control.lower().split(","):
        name, _, value = directive.strip().partition("=")
        if name == "max-age" and value.isascii() and value.isdigit():
            return min(int(value[:10]), MAXIMUM_AGE_SECONDS)
    return MAXIMUM_AGE_SECONDS


@lru_cache(maxsize=16)
def _parsed(network: str, document: bytes) -> Keys:
    return adapters.find(network).keys(document)
