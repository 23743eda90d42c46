"""Which titles a change is about, as a filter that an operator fills in: 30,000 titles are as easily said
as one."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from uuid import UUID

import msgspec
from django.db.models import Q, QuerySet

from catalog import search
from catalog.models import ProvenanceKind, Series
from payments.desk import plan_rules, plans
from payments.models import PlanRule, PricePlan


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Published titles of which everything that is said here is true. Both days are included."""

    words: str = ""
    genre: str = ""
    original_locale: str = ""
    provenance_kind: str = ""
    minimum_episodes: int | None = None
    maximum_episodes: int | None = None
    plan_id: UUID | None = None
    published_from: date | None = None
    published_until: date | None = None


def find(selection: Selection, *, at: datetime) -> QuerySet[Series]:
    """The titles, newest first; `plan_id` is the plan that prices them at a moment."""
    found: QuerySet[Series] = Series.objects.filter(state=Series.State.PUBLISHED)
    if selection.plan_id is not None:
        plan = PricePlan.objects.get(id=selection.plan_id)
        found = found.filter(id__in=plans.priced_by(plan, at=at).values("id"))
    if selection.published_from is not None:
        first = datetime.combine(selection.published_from, time.min, UTC)
        found = found.filter(published_at__gte=first)
    if selection.published_until is not None:
        last = datetime.combine(selection.published_until, time.max, UTC)
        found = found.filter(published_at__lte=last)
    if selection.words:
        found = found.filter(_saying(selection.words))
    return plan_rules.fitting(_rule(selection), found).order_by("-published_at", "-id")


def describe(selection: Selection) -> str:
    """`romance, en, at least 60 episodes`; `every published title` where nothing is said."""
    return ", ".join(_said(selection)) or "every published title"


def read(kept: object) -> Selection:
    """A selection as a row keeps it. Raises msgspec.ValidationError."""
    return msgspec.convert(kept, Selection, strict=False)


def write(selection: Selection) -> Mapping[str, object]:
    """A selection as a row keeps it: what was said, and nothing else."""
    built: Mapping[str, object] = msgspec.to_builtins(selection)
    return {name: value for name, value in built.items() if value not in {None, ""}}


def _rule(selection: Selection) -> PlanRule:
    return PlanRule(
        genre=selection.genre,
        original_locale=selection.original_locale,
        provenance_kind=selection.provenance_kind,
        minimum_episodes=selection.minimum_episodes,
        maximum_episodes=selection.maximum_episodes,
    )


def _saying(words: str) -> Q:
    saying = Q(external_id=words)
    query = search.query(words)
    return saying if query is None else saying | Q(search=query)


def _said(selection: Selection) -> Iterator[str]:
    if selection.words:
        yield f"“{selection.words}”"
    if selection.genre:
        yield selection.genre
    if selection.original_locale:
        yield f"made in {selection.original_locale}"
    if selection.provenance_kind:
        yield ProvenanceKind(selection.provenance_kind).label.lower()
    if selection.minimum_episodes is not None:
        yield f"at least {selection.minimum_episodes:,} episodes"
    if selection.maximum_episodes is not None:
        yield f"at most {selection.maximum_episodes:,} episodes"
    if selection.plan_id is not None:
        plan = PricePlan.objects.filter(id=selection.plan_id).first()
        yield f"priced by {plan}" if plan else "priced by a plan that is gone"
    if selection.published_from is not None:
        yield f"published from {selection.published_from}"
    if selection.published_until is not None:
        yield f"published until {selection.published_until}"
