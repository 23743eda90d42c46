"""An ad network says that an ad was watched: verified, kept, and settled in one transaction."""

import logging
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection

from ads import adapters, limits, verifier_keys
from ads.models import Verdict
from ads.networks.base import Fault, NetworkAdapter, NetworkError, Reply, SignedReward
from ads.verifier_keys import Wanted
from config.problems import Problem

logger = logging.getLogger(__name__)

#: How many callbacks that were not settled are kept in an hour, of each verdict.
KEPT_PER_HOUR = 1000
#: Past a query's longest, for what is kept of one that is longer.
KEPT_BYTES = 8 * 1024

_SETTLE = "SELECT ads_settle_callback(%s, %s, %s, %s, %s, %s, %s, %s, %s)::text"
_KEEP = "SELECT ads_keep_callback(%s, %s, %s, %s, %s, %s)"


class CallbackMalformed(Problem):
    code = "callback_malformed"
    title = "The query string is not one that this network sends"


class CallbackForged(Problem):
    code = "callback_forged"
    title = "The signature does not hold; nothing was done"


class CallbackImplausible(Problem):
    code = "callback_implausible"
    title = "No ad can have been watched like that; nothing was done"


class VerifierKeyUnknown(Problem):
    """`is_first` says that nobody has rung for the keys since they were last fetched."""

    code = "verifier_key_unknown"
    title = "The network has published no such key lately; send the same callback again"
    headers = {"Retry-After": "1"}

    def __init__(self, wanted: Wanted) -> None:
        super().__init__()
        self.is_first = wanted.is_first


class VerifierKeysUnavailable(VerifierKeyUnknown):
    code = "verifier_keys_unavailable"
    title = "The network's keys are out of reach; send the same callback again"


_REFUSALS: Mapping[Fault, type[Problem]] = {
    Fault.MALFORMED: CallbackMalformed,
    Fault.FORGED: CallbackForged,
    Fault.UNKNOWN_KEY: CallbackForged,
    Fault.IMPLAUSIBLE: CallbackImplausible,
}


#: The ad counts.
PAID = (Verdict.PAID, Verdict.LATE)


class Settled(msgspec.Struct, frozen=True):
    """What came of a callback; `first` is what became of the first one of its transaction."""

    verdict: Verdict
    first: Verdict


def answer(*, network: str, query_string: str, now: datetime, address_secret: str = "") -> Reply:
    """Settles a callback that came for an address; what its network waits to read. Raises as `settle`."""
    adapter = adapters.find_at(network, address_secret)
    reward = _verified(adapter, network=network, query_string=query_string, now=now)
    settled = _kept(reward, network=network, query_string=query_string, now=now)
    return adapter.reply(reward, verdict=settled.verdict, is_paid=settled.first in PAID)


def settle(*, network: str, query_string: str, now: datetime) -> Settled:
    """Verifies a callback and counts the ad of the session that it names, AD_GRACE_SECONDS after its end at the
    latest; safe to repeat.

    What pays nothing is kept with its verdict, and parked where somebody has to look. Raises NetworkUnknown, CallbackMalformed,
    CallbackForged, CallbackImplausible, and VerifierKeyUnknown or VerifierKeysUnavailable when the same callback
    may pass later.
    """
    adapter = adapters.find(network)
    reward = _verified(adapter, network=network, query_string=query_string, now=now)
    return _kept(reward, network=network, query_string=query_string, now=now)


def _verified(
    adapter: NetworkAdapter, *, network: str, query_string: str, now: datetime
) -> SignedReward:
    try:
        return adapter.verify(query_string, verifier_keys.current(network), now=now)
    except NetworkError as error:
        raise _refused(error, network=network, query_string=query_string, now=now) from error


def _kept(reward: SignedReward, *, network: str, query_string: str, now: datetime) -> Settled:
    if reward.is_probe:
        _keep(Verdict.PROBE, "", network=network, query_string=query_string, now=now)
        return Settled(verdict=Verdict.PROBE, first=Verdict.PROBE)
    return _settle(reward, network=network, query_string=query_string, now=now)


def _settle(reward: SignedReward, *, network: str, query_string: str, now: datetime) -> Settled:
    with connection.cursor() as cursor:
        cursor.execute(
            _SETTLE,
            [
                network,
                reward.transaction_id,
                _raw(query_string),
                _identifier(reward.custom_data),
                _identifier(reward.user_id),
                reward.ad_unit,
                settings.AD_GRACE_SECONDS,
                limits.reporting_day(now),
                now,
            ],
        )
        (text,) = cursor.fetchone()
    return msgspec.json.decode(text, type=Settled, dec_hook=lambda kind, value: kind(value))


def _refused(error: NetworkError, *, network: str, query_string: str, now: datetime) -> Problem:
    if error.fault is Fault.UNKNOWN_KEY:
        wanted = verifier_keys.want(network, now=now)
        if not wanted.is_in_vain:
            return (VerifierKeyUnknown if wanted.are_current else VerifierKeysUnavailable)(wanted)
    _keep(Verdict.REFUSED, error.reason, network=network, query_string=query_string, now=now)
    return _REFUSALS[error.fault](error.reason)


def _keep(verdict: Verdict, detail: str, *, network: str, query_string: str, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [network, verdict, detail, _raw(query_string), KEPT_PER_HOUR, now])
        (is_kept,) = cursor.fetchone()
    if not is_kept:
        logger.warning("a callback of %s was %s and is not kept: %s", network, verdict, detail)


def _raw(query_string: str) -> bytes:
    """The bytes that came; WSGI hands them on as if they were Latin-1."""
    return query_string.encode("latin-1", "backslashreplace")[:KEPT_BYTES]


def _identifier(text: str) -> UUID | None:
    """An id of ours, or None for anything else: nobody but us is asked to write those."""
    try:
        return UUID(hex=text)
    except ValueError:
        return None
