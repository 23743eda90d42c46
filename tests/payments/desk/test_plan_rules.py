"""A title that is published gets the plan of the first rule that fits it, and odd ones are queued."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import ProtectedError
from django.test import Client

from catalog import publishing
from catalog.models import Series
from payments.desk import plans, price_versions
from payments.models import (
    AssignmentSource,
    ChangeState,
    ExceptionReason,
    PlanAssignment,
    PlanRule,
    PriceChange,
    PriceException,
    PricePlan,
)
from payments.prices import pricing
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.operators import operator, signed_in
from tests.factories.payments import PAST, default_plan
from tests.factories.viewers import clock_headers

RULES = "/admin/payments/planrule/"
QUEUE = "/admin/payments/priceexception/"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def standard(db: None) -> PricePlan:
    return default_plan()


def plan_of(name: str, price_coins: int | None = 80) -> PricePlan:
    plan = PricePlan.objects.create(name=name, created_at=PAST)
    if price_coins is not None:
        price_versions.add(
            plan=plan, effective_from=PAST, free_count=8, base_price_coins=price_coins, now=PAST
        )
    return plan


def rule(position: int, plan: PricePlan, **fits: Any) -> PlanRule:
    return PlanRule.objects.create(
        position=position, name=f"Rule {position}", plan=plan, created_at=PAST, **fits
    )


def published(now: datetime, *, episodes: int = 12, **fields: Any) -> Series:
    """A title that has just been published, as an operator or a push does it."""
    series = SeriesFactory(state="draft", published_at=None, **fields)
    episodes_of(series, range(1, episodes + 1))
    publishing.publish(series_id=series.id, now=now)
    return series


def asked(series: Series, now: datetime) -> int:
    return pricing.ladder(pricing.version_in_force(series_id=series.id, at=now).id).price_of(9)


def reasons(series: Series) -> list[str]:
    found = PriceException.objects.filter(series=series, settled_at=None)
    return list(found.values_list("reason", flat=True))


def test_the_first_rule_that_fits_counts(now: datetime) -> None:
    long, romance = plan_of("Long", 70), plan_of("Romance", 80)
    rule(20, long, minimum_episodes=10)
    rule(10, romance, genre="romance", original_locale="en")

    both = published(now, genre="romance")
    only_long = published(now, genre="adventure")
    short = published(now, genre="adventure", episodes=9)

    assert [asked(one, now) for one in (both, only_long, short)] == [80, 70, 60]
    assignment = PlanAssignment.objects.get(series=both)
    assert (assignment.source, assignment.rule.position) == (AssignmentSource.RULE, 10)
    assert assignment.effective_from == now


@pytest.mark.parametrize(
    ("fits", "is_fit"),
    [
        ({"genre": "adventure"}, True),
        ({"genre": "Adventure"}, False),
        ({"original_locale": "en"}, True),
        ({"original_locale": "ja"}, False),
        ({"provenance_kind": "human"}, True),
        ({"provenance_kind": "ai_native"}, False),
        ({"minimum_episodes": 12}, True),
        ({"minimum_episodes": 13}, False),
        ({"maximum_episodes": 12}, True),
        ({"maximum_episodes": 11}, False),
        ({"genre": "adventure", "maximum_episodes": 11}, False),
    ],
)
def test_all_that_a_rule_says_has_to_be_true(
    now: datetime, fits: dict[str, Any], is_fit: bool
) -> None:
    rule(1, plan_of("Ruled"), **fits)
    assert asked(published(now), now) == (80 if is_fit else 60)


def test_a_rule_that_is_off_and_a_plan_it_had_before_change_nothing(now: datetime) -> None:
    rule(1, plan_of("Off"), genre="adventure", is_active=False)
    assert asked(published(now), now) == 60
    PlanRule.objects.update(is_active=True)
    other = plan_of("Chosen", 90)
    series = SeriesFactory(state="draft", published_at=None)
    episodes_of(series, range(1, 13))
    plans.assign(plan=other, series_ids=[series.id], effective_from=PAST, now=PAST)

    publishing.publish(series_id=series.id, now=now)

    assert asked(series, now) == 90
    assert PlanAssignment.objects.filter(series=series).count() == 1


def test_a_plan_that_was_withdrawn_before_it_began_leaves_the_title_to_its_rule(
    now: datetime,
) -> None:
    rule(1, plan_of("Ruled"), genre="adventure")
    series = SeriesFactory(state="draft", published_at=None)
    episodes_of(series, range(1, 13))
    PlanAssignment.objects.create(
        series=series,
        plan=plan_of("Withdrawn", 90),
        effective_from=now + DAY,
        cancelled_at=now,
        created_at=PAST,
    )

    publishing.publish(series_id=series.id, now=now)

    assert asked(series, now) == 80


def test_published_again_it_keeps_the_plan_it_had(now: datetime) -> None:
    rule(1, plan_of("Ruled"), genre="adventure")
    series = published(now)
    publishing.withdraw(series_id=series.id, now=now + DAY)
    Series.objects.filter(id=series.id).update(genre="romance")
    publishing.publish(series_id=series.id, now=now + 2 * DAY)
    assert asked(series, now + 2 * DAY) == 80


def test_what_nobody_has_vouched_for_is_queued_and_on_sale(now: datetime) -> None:
    published(now)
    assert (
        not PriceException.objects.exists()
    )  # where there are no rules, the default plan is meant
    for _ in range(4):
        published(now, genre="usual")
    rule(10, plan_of("Dear", 900), genre="dear")
    rule(20, plan_of("Unpriced", None), genre="unpriced")

    unruled = published(now, genre="romance")
    dear = published(now, genre="dear")
    unpriced = published(now, genre="unpriced")

    assert reasons(unruled) == [ExceptionReason.NO_RULE]
    assert reasons(dear) == [ExceptionReason.FAR_OFF]
    assert reasons(unpriced) == [ExceptionReason.NO_VERSION]
    assert [asked(one, now) for one in (unruled, dear, unpriced)] == [60, 900, 60]


class Operator:
    """Somebody at the admin, at a moment."""

    def __init__(self, user: User, now: datetime) -> None:
        self.client: Client = signed_in(user)
        self.headers = clock_headers(now)

    def get(self, url: str, **query: Any) -> Any:
        return self.client.get(url, query, headers=self.headers)

    def post(self, url: str, **fields: Any) -> Any:
        return self.client.post(url, fields, follow=True, headers=self.headers)


@pytest.fixture
def dana(now: datetime) -> Operator:
    return Operator(operator("dana", role="pricing"), now)


def said(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def add_rule(dana: Operator, priced_by: PricePlan, **fields: Any) -> Any:
    form = {"name": "Rule", "position": 10, "plan": priced_by.id, "is_active": "on"}
    return dana.post(f"{RULES}add/", **form | fields)


@pytest.fixture
def titles(now: datetime) -> Sequence[Series]:
    return [published(now, genre=genre) for genre in ("adventure", "adventure", "romance")]


def test_an_operator_makes_a_rule_and_sees_how_many_titles_it_fits(
    dana: Operator, titles: Sequence[Series], now: datetime
) -> None:
    add_rule(dana, plan_of("Romance"), genre="romance")
    made = PlanRule.objects.get()
    assert (made.genre, made.created_at) == ("romance", now)
    page = dana.get(f"{RULES}{made.id}/change/")
    assert "Published titles that it fits" in page.content.decode()
    assert page.context["adminform"].model_admin.fits(made) == "1"
    assert dana.get(f"{RULES}add/").context["adminform"].form.initial["position"] == 20


def test_the_list_of_rules_costs_the_same_few_queries_however_many_there_are(
    dana: Operator, django_assert_max_num_queries: Any
) -> None:
    for position in range(20):
        rule(position, plan_of(f"Plan {position}"), genre="romance")

    with django_assert_max_num_queries(8):
        assert dana.get(RULES).status_code == 200


def test_a_rule_is_switched_off_and_never_deleted(dana: Operator, now: datetime) -> None:
    made = rule(10, plan_of("Romance"), genre="romance")
    priced = published(now, genre="romance")

    assert dana.post(f"{RULES}{made.id}/delete/", post="yes").status_code == 403
    assert dana.post(RULES, action="delete_selected", _selected_action=made.id).status_code == 200
    with pytest.raises(ProtectedError):
        made.delete()

    assert PlanAssignment.objects.get(series=priced).rule == made


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"genre": "westen"}, "fits none of the published titles"),
        ({"original_locale": "en"}, "fits every one of the 3 published titles"),
        ({"maximum_episodes": 0}, "fits none of the published titles"),
        ({}, "Say at least one thing"),
        ({"minimum_episodes": 9, "maximum_episodes": 8}, "above the greatest"),
        ({"genre": "romance", "plan": ""}, "This field is required"),
        ({"genre": "romance", "position": -1}, "greater than or equal to 0"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_in_a_sentence(
    dana: Operator, titles: Sequence[Series], fields: dict[str, Any], sentence: str
) -> None:
    answer = add_rule(dana, plan_of("Ruled"), **fields)
    assert answer.status_code == 200
    assert sentence in str(answer.context["adminform"].form.errors)
    assert not PlanRule.objects.exists()


def test_a_rule_for_titles_to_come_is_kept_once_it_is_confirmed(
    dana: Operator, titles: Sequence[Series]
) -> None:
    add_rule(dana, plan_of("Western"), genre="western", is_meant="on")
    assert PlanRule.objects.get().genre == "western"


def test_two_rules_of_one_position_are_refused(dana: Operator, titles: Sequence[Series]) -> None:
    plan = plan_of("Ruled")
    rule(10, plan, genre="romance")
    answer = add_rule(dana, plan, genre="adventure")
    assert "already exists" in str(answer.context["adminform"].form.errors)


@pytest.fixture
def queued(titles: Sequence[Series], now: datetime) -> PriceException:
    return PriceException.objects.create(
        series=titles[0], reason=ExceptionReason.NO_RULE, found_at=now
    )


def test_the_queue_is_work_on_the_first_page_until_it_is_settled(
    dana: Operator, queued: PriceException, now: datetime
) -> None:
    assert dana.get("/admin/").context["open_exceptions"] == 1
    page = dana.get(f"{QUEUE}{queued.id}/change/").content.decode()
    for text in ("No rule fits it", "8 free, then 60 coins", "The default plan"):
        assert text in page

    dana.post(f"{QUEUE}{queued.id}/let-be/")

    queued.refresh_from_db()
    assert (queued.settled_at, queued.settled_by.username) == (now, "dana")
    assert dana.get("/admin/").context["open_exceptions"] == 0
    assert queued not in dana.get(QUEUE).context["cl"].result_list
    assert queued in dana.get(QUEUE, standing="all").context["cl"].result_list
    assert "settled this already" in said(dana.post(f"{QUEUE}{queued.id}/let-be/"))


def test_several_are_settled_at_once(
    dana: Operator, titles: Sequence[Series], now: datetime
) -> None:
    rows = [
        PriceException.objects.create(series=one, reason=ExceptionReason.NO_RULE, found_at=now)
        for one in titles
    ]
    chosen = [str(one.id) for one in rows[:2]]
    dana.post(QUEUE, action="let_be", _selected_action=chosen)
    assert PriceException.objects.filter(settled_at=None).count() == 1


def test_a_plan_is_chosen_there(dana: Operator, queued: PriceException, now: datetime) -> None:
    premiere = plan_of("Premiere", 80)
    dana.post(f"{QUEUE}{queued.id}/choose-plan/", plan=premiere.id)

    queued.refresh_from_db()
    assert queued.settled_at == now
    assert asked(queued.series, now) == 80
    assert PriceChange.objects.get().state == ChangeState.SCHEDULED


def test_a_plan_that_is_much_dearer_waits_for_a_second_person(
    dana: Operator, queued: PriceException, now: datetime
) -> None:
    dear = plan_of("Dear", 100)
    answer = dana.post(f"{QUEUE}{queued.id}/choose-plan/", plan=dear.id)

    queued.refresh_from_db()
    assert "a second person has to agree" in said(answer)
    assert (queued.settled_at, asked(queued.series, now)) == (None, 60)
    assert PriceChange.objects.get().state == ChangeState.WAITING


@pytest.mark.parametrize(
    ("price_coins", "sentence"), [(None, "Choose a plan first"), (2, "far from what episodes cost")]
)
def test_a_choice_that_cannot_be_meant_moves_nothing(
    dana: Operator,
    queued: PriceException,
    now: datetime,
    price_coins: int | None,
    sentence: str,
) -> None:
    plan = plan_of("Odd", price_coins) if price_coins else None
    answer = dana.post(f"{QUEUE}{queued.id}/choose-plan/", plan=plan.id if plan else "")
    assert sentence in said(answer)
    queued.refresh_from_db()
    assert queued.settled_at is None
    assert not PriceChange.objects.exists()


def test_who_does_not_price_settles_nothing(queued: PriceException, now: datetime) -> None:
    sue = Operator(operator("sue", role="support"), now)
    assert sue.get(f"{QUEUE}{queued.id}/change/").status_code == 200
    for step in ("let-be", "choose-plan"):
        assert sue.post(f"{QUEUE}{queued.id}/{step}/").status_code == 403
        assert sue.get(f"{QUEUE}{queued.id}/{step}/").status_code == 405
    sue.post(QUEUE, action="let_be", _selected_action=[str(queued.id)])
    queued.refresh_from_db()
    assert queued.settled_at is None
