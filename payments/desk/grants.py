"""What operators give viewers: coins, an episode, a pass. Who asks, who agrees, and taking it back.

Small gifts are given at once, by one person and up to a limit a day; larger ones wait for a second
person; nothing is ever worth more than GRANT_MAXIMUM_COINS. The SQL functions decide, under their
locks; docs/money.md has the rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Sum

from catalog.models import Episode
from payments.models import Grant, GrantKind, GrantReason, GrantState
from payments.prices import pricing
from viewers.models import Viewer

NOTE_CHARACTERS = 500

_ASK = "SELECT payments_ask_grant(" + ", ".join(["%s"] * 17) + ")::text"
_DECIDE = "SELECT payments_decide_grant(%s, %s, %s, %s, %s)::text"
_REVOKE = "SELECT payments_revoke_grant(%s, %s, %s)::text"


class GrantRefused(Exception):
    """Nothing was given, taken or decided; the message tells an operator why."""


class GiftInvalid(GrantRefused):
    """It is nothing that can be given."""


class ViewerGone(GrantRefused):
    """There is nobody to give it to."""


class OverMaximum(GrantRefused):
    """Worth more than anybody may give, with a second person or without."""


class OverDailyLimit(GrantRefused):
    """More than the operator may still give alone today: `left_coins`."""

    def __init__(self, left_coins: int) -> None:
        super().__init__(
            f"That is more than you may still give alone today: {left_coins:,} coins are left of "
            f"{settings.GRANT_DAILY_COINS:,}."
        )
        self.left_coins = left_coins


class EpisodeOpen(GrantRefused):
    """The viewer may watch it already."""


class DecidedBefore(GrantRefused):
    """It does not wait any more."""


class SamePerson(GrantRefused):
    """Nobody is their own second person."""


class Outdated(GrantRefused):
    """What was asked for cannot be given any more as it was asked."""


class NotGiven(GrantRefused):
    """There is nothing to take back: it was never given, or was taken back before."""


class Asked(StrEnum):
    """What became of a request."""

    GIVEN = "given"
    WAITING = "waiting"
    REPEATED = "repeated"


class Decided(StrEnum):
    """What became of a decision. ALREADY_OPEN closes the grant with nothing given."""

    GIVEN = "given"
    REFUSED = "refused"
    ALREADY_OPEN = "already_open"


@dataclass(frozen=True)
class CoinGift:
    """Bonus coins, for good or until a moment."""

    coins: int
    expire_at: datetime | None = None


@dataclass(frozen=True)
class EpisodeGift:
    """One episode, for good."""

    episode_id: UUID


@dataclass(frozen=True)
class PassGift:
    """Every episode for some days, which begin where the viewer's present cover ends."""

    days: int


Gift = CoinGift | EpisodeGift | PassGift


@dataclass(frozen=True)
class Terms:
    """What a gift counts as, and whether one person may give it."""

    worth_coins: int
    needs_second: bool


def terms(gift: Gift, *, now: datetime) -> Terms:
    """What a gift counts as at a moment. Raises GiftInvalid and OverMaximum."""
    worth_coins = _worth(gift, now)
    if worth_coins > settings.GRANT_MAXIMUM_COINS:
        raise OverMaximum(
            f"Nothing worth more than {settings.GRANT_MAXIMUM_COINS:,} coins is given away, and "
            f"this is worth {worth_coins:,}."
        )
    return Terms(worth_coins=worth_coins, needs_second=worth_coins > settings.GRANT_SOLO_COINS)


def recipient(viewer_id: UUID) -> Viewer:
    """Whom a gift would go to, in their own environment. Raises ViewerGone."""
    return _present(Viewer.objects.filter(id=viewer_id).first())


def left_today_coins(*, operator_id: int, now: datetime) -> int:
    """What the operator may still give alone in this day of the reporting zone."""
    alone = Grant.objects.filter(
        asked_by_id=operator_id, asked_at__gte=_day_starts_at(now), needs_second=False
    ).exclude(state=GrantState.REFUSED)
    given: int = alone.aggregate(total=Sum("worth_coins", default=0))["total"]
    return max(settings.GRANT_DAILY_COINS - given, 0)


def ask(
    *,
    grant_id: UUID,
    viewer_id: UUID,
    gift: Gift,
    reason: GrantReason,
    note: str,
    operator_id: int,
    now: datetime,
) -> Asked:
    """An operator asks to give something; what one person may give is given at once.

    `grant_id` is the request's own: the same again is REPEATED, and gives nothing. Raises
    GiftInvalid, ViewerGone, OverMaximum, OverDailyLimit and EpisodeOpen, with nothing kept.
    """
    worth_coins = terms(gift, now=now).worth_coins
    note = _stripped(note)
    if not note:
        raise GiftInvalid("Say in a sentence why it is given.")
    with transaction.atomic():
        environment = _held(viewer_id).environment
        answer = _call(
            _ASK,
            grant_id,
            viewer_id,
            environment,
            *_columns(gift),
            worth_coins,
            reason,
            note,
            operator_id,
            settings.GRANT_SOLO_COINS,
            settings.GRANT_MAXIMUM_COINS,
            settings.GRANT_DAILY_COINS,
            _day_starts_at(now),
            now,
        )
        if answer["outcome"] == "over_daily_limit":
            raise OverDailyLimit(answer["left_coins"])
        if answer["outcome"] == "already_open":
            raise EpisodeOpen("The viewer may watch this episode already.")
        return Asked(answer["outcome"])


def decide(
    *, grant_id: UUID, operator_id: int, is_approved: bool, note: str = "", now: datetime
) -> Decided:
    """A second person agrees or refuses; whoever asked may refuse, which withdraws it.

    Raises DecidedBefore, SamePerson, Outdated, ViewerGone and GiftInvalid, with nothing decided.
    """
    note = _stripped(note)
    with transaction.atomic():
        if is_approved:
            _refuse_outdated(Grant.objects.get(id=grant_id), now)
        answer = _call(_DECIDE, grant_id, operator_id, is_approved, note, now)
    if answer["outcome"] == "decided_before":
        raise DecidedBefore("This was decided before.")
    if answer["outcome"] == "same_person":
        raise SamePerson("You asked for this yourself: somebody else has to agree.")
    return Decided(answer["outcome"])


def revoke(*, grant_id: UUID, operator_id: int, now: datetime) -> int:
    """Takes back what is left of a gift: unspent coins, the episode, the rest of a pass.

    Returns how many coins came back. Raises NotGiven.
    """
    answer = _call(_REVOKE, grant_id, operator_id, now)
    if answer["outcome"] == "not_given":
        raise NotGiven("There is nothing to take back: it was not given, or was taken back before.")
    coins: int = answer["coins"]
    return coins


def _worth(gift: Gift, now: datetime) -> int:
    if isinstance(gift, CoinGift):
        if gift.expire_at is not None and gift.expire_at <= now:
            raise GiftInvalid("The coins would have lapsed before they are given.")
        return _whole(gift.coins, "coin")
    if isinstance(gift, PassGift):
        days: int = _whole(gift.days, "day") * settings.GRANT_PASS_DAY_COINS
        return days
    episode = _published(gift.episode_id)
    version = pricing.version_in_force(series_id=episode.series_id, at=now)
    price_coins = pricing.ladder(version.id).price_of(episode.number)
    if price_coins == 0:
        raise GiftInvalid(f"Episode {episode.number} is free for everybody.")
    return price_coins


def _whole(number: int, unit: str) -> int:
    # A bool is an int to Python, and a float would be rounded on its way into the database.
    if type(number) is not int or number < 1:
        raise GiftInvalid(f"Give at least 1 {unit}, and a whole number of them.")
    return number


def _published(episode_id: UUID) -> Episode:
    episode = Episode.objects.filter(id=episode_id, state=Episode.State.PUBLISHED).first()
    if episode is None:
        raise GiftInvalid("There is no such episode, or it is not published.")
    return episode


def _stripped(note: str) -> str:
    note = note.strip()
    if len(note) > NOTE_CHARACTERS:
        raise GiftInvalid(f"A note has {NOTE_CHARACTERS} characters at most.")
    return note


def _columns(gift: Gift) -> tuple[str, int | None, datetime | None, UUID | None, int | None]:
    """Kind, coins, their expiry, episode, days of a pass."""
    if isinstance(gift, CoinGift):
        return GrantKind.COINS, gift.coins, gift.expire_at, None, None
    if isinstance(gift, EpisodeGift):
        return GrantKind.EPISODE, None, None, gift.episode_id, None
    return GrantKind.PASS, None, None, None, gift.days


def _held(viewer_id: UUID) -> Viewer:
    """The viewer, whom nobody moves to another environment or erases meanwhile."""
    return _present(Viewer.objects.select_for_update(no_key=True).filter(id=viewer_id).first())


def _present(viewer: Viewer | None) -> Viewer:
    if viewer is None:
        raise ViewerGone("There is no viewer of this id.")
    if viewer.erased_at is not None:
        raise ViewerGone("This viewer's data was erased; there is nobody to give it to.")
    return viewer


def _refuse_outdated(grant: Grant, now: datetime) -> None:
    if grant.state != GrantState.WAITING:
        return
    if _held(grant.viewer_id).environment != grant.environment:
        raise Outdated("The viewer has moved to the other environment since: refuse it, ask anew.")
    if grant.coins_expire_at is not None and grant.coins_expire_at <= now:
        raise Outdated("The coins would have lapsed by now: refuse it, ask anew.")
    if grant.episode_id is not None:
        _published(grant.episode_id)


def _day_starts_at(now: datetime) -> datetime:
    today = now.astimezone(settings.REPORTING_ZONE).date()
    return datetime.combine(today, time.min, settings.REPORTING_ZONE)


def _call(statement: str, *arguments: Any) -> Mapping[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(arguments))
        (answer,) = cursor.fetchone()
    decoded: Mapping[str, Any] = msgspec.json.decode(answer)
    return decoded
