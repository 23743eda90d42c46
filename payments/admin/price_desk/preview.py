"""Who pays what before and after a change, as its page shows it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from catalog.models import Series
from payments.admin import price_preview
from payments.admin.price_desk import words
from payments.admin.price_preview import Cost, EpisodeChange, Run
from payments.admin.series_choice import titles
from payments.desk.price_changes import approval, checks, contents, effects
from payments.desk.price_changes.checks import ContentRefused
from payments.desk.price_changes.contents import Campaign, Content, NewVersion, Opened, PriceTable
from payments.desk.price_changes.effects import Asked, Shift
from payments.desk.price_changes.measuring import Reach
from payments.desk.price_changes.samples import InArm, Sample, Stranger
from payments.models import ChangeState, PriceChange, PriceVersion
from payments.money import PARTS_PER_MILLION
from payments.prices import arm_terms, pricing
from payments.prices.terms import PriceLadder
from viewers.experiments import arms
from viewers.experiments.definitions import definition
from viewers.models import Device, Platform, Viewer

SHOWN_TITLES = 10
#: Places that are shown beside everybody: a page is read by somebody.
SHOWN_PLACES = 8
#: Where nothing of the change names a place, whoever comes by one of these still pays something.
#: Arms of the experiments that run on the titles.
SHOWN_ARMS = 8
NOT_SOLD = "not sold"
USUAL_PLACES = (Stranger("US", Platform.IOS), Stranger("US", Platform.WEB))


@dataclass(frozen=True)
class LookAt:
    """What an operator wants to look at more closely."""

    series_id: UUID | None = None
    viewer_id: UUID | None = None


@dataclass(frozen=True)
class Line:
    """What a sample, or a title, is asked before and after."""

    name: str
    shift: Shift
    url: str = ""

    @property
    def free(self) -> tuple[int, int]:
        shift = self.shift
        return (
            sum(shift.before.alone.price_of(number) == 0 for number in shift.numbers),
            sum(shift.after.alone.price_of(number) == 0 for number in shift.numbers),
        )

    @property
    def first_paid(self) -> tuple[str, str]:
        return _first_paid(self.shift, "before"), _first_paid(self.shift, "after")

    @property
    def whole(self) -> tuple[str, str]:
        return f"{self.shift.before_coins:,}", f"{self.shift.after_coins:,}"

    @property
    def at_once(self) -> tuple[str, str]:
        """The whole title in a bundle."""
        shift = self.shift
        return _bundle(shift.before, shift.numbers), _bundle(shift.after, shift.numbers)

    @property
    def rented(self) -> tuple[str, str]:
        """The first episode that costs something, for a time."""
        shift = self.shift
        return _rental(shift.before, shift.numbers), _rental(shift.after, shift.numbers)

    @property
    def rise(self) -> str:
        before, after = self.shift.before_coins, self.shift.after_coins
        return words.rise((after - before) * PARTS_PER_MILLION // max(before, 1))

    @property
    def direction(self) -> str:
        """`up`, `down` or `same`, for the eye."""
        before, after = self.shift.before_coins, self.shift.after_coins
        return "same" if before == after else "up" if after > before else "down"


@dataclass(frozen=True)
class Preview:
    """A change in front of one title for everybody, and of some titles for one."""

    reach: Reach | None
    series: Series | None
    series_title: str
    by_sample: Sequence[Line]
    by_title: Sequence[Line]
    episodes: Sequence[EpisodeChange]
    runs: Sequence[Run]
    before: Cost | None
    after: Cost | None
    warnings: Sequence[str]
    refusals: Sequence[str]
    needs_second: bool
    rise: str
    fall: str
    steepest: str
    deepest: str

    @property
    def sells_bundles(self) -> bool:
        """To anybody shown, before or after."""
        return any(line.at_once != (NOT_SOLD, NOT_SOLD) for line in self.by_sample)

    @property
    def sells_rentals(self) -> bool:
        """To anybody shown, before or after."""
        return any(line.rented != (NOT_SOLD, NOT_SOLD) for line in self.by_sample)


def of_open(change: PriceChange, *, asked: LookAt, now: datetime, operator_id: int) -> Preview:
    """What a draft, or a change that waits, would do if it were agreed to now: by this operator, unless
    it takes a second person."""
    opened = contents.opened(change)
    content = opened.content
    refusals = _refusals(opened, now)
    samples = samples_of(change, content, asked, at=effects.moment_of(change, now=now))
    try:
        with transaction.atomic():
            seen = effects.look(
                opened, samples=samples, titles=SHOWN_TITLES, now=now, series_id=asked.series_id
            )
    except IntegrityError:
        # Two versions of a plan from one moment: the refusals say so.
        return _nothing(refusals or ["Another change begins at that very moment."])
    return _shown(
        samples=samples,
        reach=seen.reach,
        series_id=seen.series_id,
        by_sample=seen.by_sample,
        by_title=seen.by_title,
        warnings=list(_warnings(content, seen.reach, seen.by_sample.values(), now)),
        refusals=refusals,
        needs_second=change.state == ChangeState.WAITING
        or approval.needs_second(seen.reach, alone=approval.titles_alone(operator_id, now=now)),
    )


def of_agreed(change: PriceChange, *, asked: LookAt) -> Preview | None:
    """What a change that was agreed to has done, or will do, by the rows that price.

    None for one that was taken back before its moment: it never priced anything.
    """
    was_in_force = change.state in {ChangeState.SCHEDULED, ChangeState.ROLLED_BACK}
    if not was_in_force or change.effective_from is None:
        return None
    at = change.effective_from
    content = contents.read(change.content)
    samples = samples_of(change, content, asked, at=at)
    about = sorted(effects.titles_of(change, at=at), reverse=True)[:SHOWN_TITLES]
    chosen = asked.series_id or next(iter(about), None)
    by_sample: Mapping[Any, Sequence[Shift]] = (
        effects.shifts_kept(series_ids=[chosen], samples=samples, at=at) if chosen else {}
    )
    by_title = effects.shifts_kept(series_ids=about, samples=samples[:1], at=at)
    return _shown(
        samples=samples,
        reach=None,
        series_id=chosen,
        by_sample={sample: shifts[0] for sample, shifts in by_sample.items()},
        by_title=by_title[samples[0]],
        warnings=[],
        refusals=[],
        needs_second=change.needs_second,
    )


def samples_of(
    change: PriceChange, content: Content, asked: LookAt, *, at: datetime
) -> Sequence[Sample | Stranger]:
    """Everybody, the places that prices before or after name, and the viewer who was asked for."""
    places = dict.fromkeys([*_places(content), *_places_before(change, content, at)])
    named = list(places)[:SHOWN_PLACES] or list(USUAL_PLACES)
    viewer: list[Sample | Stranger] = []
    if asked.viewer_id and Viewer.objects.filter(id=asked.viewer_id).exists():
        device = Device.objects.filter(viewer_id=asked.viewer_id).order_by("-created_at").first()
        viewer = [Sample(asked.viewer_id, device.id if device else None)]
    return [Stranger(), *viewer, *named, *islice(_arms(change, asked, at), SHOWN_ARMS)]


def _arms(change: PriceChange, asked: LookAt, at: datetime) -> Iterator[Stranger]:
    """Somebody in each arm of the experiments that ask something for these titles at that moment."""
    running = arms.running_at(at, varies=pricing.ON_PRICES)
    if not running:
        return
    about = {asked.series_id} if asked.series_id else set(effects.titles_of(change, at=at))
    for experiment in running:
        terms = arm_terms.asked(experiment.id).values()
        if any(None in by_series or not about.isdisjoint(by_series) for by_series in terms):
            for arm in experiment.arms:
                yield Stranger(arm=InArm(experiment.id, arm.id))


def _places(content: Content) -> Iterator[Stranger]:
    if isinstance(content, NewVersion):
        for variant in content.terms.variants:
            yield from _strangers(variant.regions, variant.platforms)
    elif isinstance(content, Campaign):
        yield from _strangers(content.regions, content.platforms)


def _places_before(change: PriceChange, content: Content, at: datetime) -> Iterator[Stranger]:
    """Those that the prices name which the change takes the place of, or brings by a plan."""
    plans = [content.plan_id] if hasattr(content, "plan_id") else []
    begun = PriceVersion.objects.filter(effective_from__lte=at, cancelled_at=None)
    version = begun.filter(plan__in=plans).order_by("-effective_from").first()
    about = list(effects.titles_of(change, at=at)[:SHOWN_TITLES])
    version_ids = set(pricing.versions_in_force(about, at=at).values())
    for version_id in sorted({*version_ids, *([version.id] if version else [])}):
        for variant in pricing.variants(version_id):
            yield from _strangers(sorted(variant.regions), sorted(variant.platforms))


def _strangers(regions: Sequence[str], platforms: Sequence[str]) -> Iterator[Stranger]:
    for region in list(regions)[:3] or [""]:
        for platform in list(platforms)[:2] or [""]:
            if region or platform:
                yield Stranger(region, platform)


def _refusals(opened: Opened, now: datetime) -> Sequence[str]:
    """Why it would be refused if it were asked for now."""
    said: list[str] = []
    try:
        checks.refuse_content(
            opened.content,
            series_ids=opened.series_ids,
            effective_from=opened.change.effective_from,
            now=now,
        )
    except ContentRefused as refusal:
        said += refusal.complaints
    for check in (checks.refuse_overlap, checks.refuse_absurd):
        try:
            check(opened, now=now)
        except ContentRefused as refusal:
            said += refusal.complaints
    return said


def _warnings(content: Content, reach: Reach, by_sample: Any, now: datetime) -> Iterator[str]:
    if reach.titles_count == 0:
        yield "No title would cost anybody anything else than now."
    if any(shift.numbers and shift.before_coins and not shift.after_coins for shift in by_sample):
        yield "Nothing of a title would be sold any more: every episode becomes free."
    if isinstance(content, PriceTable):
        versions = set(pricing.versions_in_force(list(content.rows), at=now).values())
        lost = PriceVersion.objects.filter(id__in=versions).filter(
            Q(variants__isnull=False)
            | Q(bundle_adjustment__isnull=False)
            | Q(rental_adjustment__isnull=False)
        )
        if lost.exists():
            yield (
                "Some of these titles have prices by country or platform, bundles or rentals. A table "
                "has no column for those: the titles lose them."
            )


def _shown(
    *,
    samples: Sequence[Sample | Stranger],
    reach: Reach | None,
    series_id: UUID | None,
    by_sample: Mapping[Sample | Stranger, Shift],
    by_title: Sequence[Shift],
    warnings: Sequence[str],
    refusals: Sequence[str],
    needs_second: bool,
) -> Preview:
    wanted = [shift.series_id for shift in by_title] + ([series_id] if series_id else [])
    if reach:
        most = (reach.largest_rise_series_id, reach.largest_fall_series_id)
        wanted += [one for one in most if one]
    rows = {row.id: row for row in Series.objects.filter(id__in=wanted)}
    named = titles(rows.values())
    everybody = by_sample.get(samples[0])
    episodes = _episodes(everybody) if everybody else []
    return Preview(
        reach=reach,
        series=rows.get(series_id) if series_id else None,
        series_title=named.get(series_id, "") if series_id else "",
        by_sample=[Line(name_of(one), by_sample[one]) for one in samples if one in by_sample],
        by_title=[
            Line(named.get(shift.series_id, ""), shift, f"?title={shift.series_id}")
            for shift in by_title
        ],
        episodes=episodes,
        runs=price_preview.runs_of(episodes),
        before=price_preview.cost(everybody.before_coins) if everybody else None,
        after=price_preview.cost(everybody.after_coins) if everybody else None,
        warnings=warnings,
        refusals=refusals,
        needs_second=needs_second,
        rise=words.rise(reach.largest_rise_parts_per_million) if reach else "",
        fall=words.rise(-reach.largest_fall_parts_per_million) if reach else "",
        steepest=_named(named, reach.largest_rise_series_id) if reach else "",
        deepest=_named(named, reach.largest_fall_series_id) if reach else "",
    )


def _nothing(refusals: Sequence[str]) -> Preview:
    empty = Reach(0, 0, 0, 0, 0, None, 0, None, 0)
    return Preview(
        reach=empty,
        series=None,
        series_title="",
        by_sample=[],
        by_title=[],
        episodes=[],
        runs=[],
        before=None,
        after=None,
        warnings=[],
        refusals=refusals,
        needs_second=False,
        rise="",
        fall="",
        steepest="",
        deepest="",
    )


def name_of(sample: Sample | Stranger) -> str:
    """`Everybody else`, `US on iOS`, `Arm five of free-count-2026`, `Viewer …0a1b2c`."""
    if isinstance(sample, Sample):
        return f"Viewer …{str(sample.viewer_id)[-12:]}"
    if sample.arm:
        experiment = definition(sample.arm.experiment_id)
        return f"Arm {experiment.arm(sample.arm.arm_id).code} of {experiment.code}"
    if not sample.region and not sample.platform:
        return "Everybody else"
    on = Platform(sample.platform).label if sample.platform else ""
    return " on ".join(one for one in (sample.region or "Anywhere", on) if one)


def _named(named: Mapping[UUID, str], series_id: UUID | None) -> str:
    return named.get(series_id, "") if series_id else ""


def _episodes(shift: Shift) -> Sequence[EpisodeChange]:
    return [
        EpisodeChange(
            number, shift.before.alone.price_of(number), shift.after.alone.price_of(number)
        )
        for number in shift.numbers
    ]


def _first_paid(shift: Shift, side: str) -> str:
    ladder = getattr(shift, side).alone
    number = _first(ladder, shift.numbers)
    return f"{ladder.price_of(number):,} for episode {number:,}" if number else "none"


def _bundle(asked: Asked, numbers: Sequence[int]) -> str:
    if asked.bundle is None:
        return NOT_SOLD
    return f"{sum(map(asked.bundle.price_of, numbers)):,}"


def _rental(asked: Asked, numbers: Sequence[int]) -> str:
    number = _first(asked.alone, numbers)
    if asked.rental is None or number is None:
        return NOT_SOLD
    return f"{asked.rental.price_of(number):,}"


def _first(ladder: PriceLadder, numbers: Sequence[int]) -> int | None:
    """The first episode that costs something."""
    return next((number for number in numbers if ladder.price_of(number)), None)
