"""Operators draft experiments, start them with a second person where it takes one, and end them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog.models import Series
from payments.desk import experiments as price_experiments
from payments.models import ArmTerms
from payments.prices.terms import Adjustment
from tests.factories import experiments
from tests.factories.operators import operator, signed_in
from tests.factories.viewers import clock_headers
from tests.payments.prices.test_experiments_on_prices import device_in, shown
from viewers.models import Arm, Experiment, Layer

LIST = "/admin/viewers/experiment/"
DEAR = Adjustment(scale_parts_per_million=1_600_000)


class Desk:
    """An operator at the pages of experiments."""

    def __init__(self, name: str, role: str, now: datetime) -> None:
        self.user, self.now = operator(name, role=role), now
        self.client: Client = signed_in(self.user)

    def get(self, url: str) -> HttpResponse:
        return self.client.get(url, headers=clock_headers(self.now))

    def post(self, url: str, **fields: Any) -> HttpResponse:
        return self.client.post(url, fields, headers=clock_headers(self.now))

    def page(self, experiment: Experiment) -> Any:
        answer = self.get(f"{LIST}{experiment.id}/change/")
        assert answer.status_code == 200
        return answer

    def step(self, experiment: Experiment, step: str) -> list[str]:
        """As it is pressed on the page that shows the experiment now."""
        return self.pressed(self.page(experiment), experiment, step)

    def pressed(self, page: Any, experiment: Experiment, step: str) -> list[str]:
        answer = self.post(f"{LIST}{experiment.id}/{step}/", shown=page.context["shown"])
        assert answer.status_code == 302
        return [str(one) for one in self.get(answer.url).context["messages"]]


@pytest.fixture
def dana(db: None, now: datetime) -> Desk:
    return Desk("dana", "pricing", now)


@pytest.fixture
def erin(db: None, now: datetime) -> Desk:
    return Desk("erin", "pricing", now)


@pytest.fixture
def layer(db: None, now: datetime) -> Layer:
    return experiments.layer("prices", holdout=100_000, now=now)


def form(layer: Layer, *arms: dict[str, Any], initial: int = 0, **given: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "code": "free-count-2026",
        "question": "Do fewer free episodes earn more?",
        "varies": "free_count",
        "layer": layer.id,
        "slice_from_percent": "10",
        "slice_to_percent": "55.5",
        "new_viewers_only": "on",
        "horizon_hours": "168",
        "planned_viewers": "90000",
        "starts_at_0": "",
        "starts_at_1": "",
        "arms-TOTAL_FORMS": len(arms),
        "arms-INITIAL_FORMS": initial,
    }
    for place, arm in enumerate(arms):
        fields |= {f"arms-{place}-{name}": value for name, value in arm.items()}
    return fields | given


CONTROL = {"code": "control", "share_percent": "50", "is_control": "on"}
FIVE = {"code": "five", "share_percent": "50", "free_count": "5"}


def drafted(desk: Desk, layer: Layer, *arms: dict[str, Any], **given: Any) -> Experiment:
    answer = desk.post(f"{LIST}add/", **form(layer, *(arms or (CONTROL, FIVE)), **given))
    assert answer.status_code == 302, answer.context["errors"]
    return Experiment.objects.get()


def test_a_draft_is_kept_as_it_was_filled_in(
    dana: Desk, layer: Layer, series: Series, now: datetime
) -> None:
    experiment = drafted(dana, layer, series=[str(series.id)])

    assert (experiment.slice_from, experiment.slice_to) == (100_000, 555_000)
    assert (experiment.state, experiment.created_at) == ("draft", now)
    arms = {arm.code: (arm.share_parts_per_million, arm.is_control) for arm in Arm.objects.all()}
    assert arms == {"control": (500_000, True), "five": (500_000, False)}
    (terms,) = ArmTerms.objects.all()
    assert (terms.arm.code, terms.series, terms.adjustment.free_count) == ("five", series, 5)


def test_a_draft_is_edited_and_shows_what_it_says(dana: Desk, layer: Layer, series: Series) -> None:
    experiment = drafted(dana, layer)
    ids = {arm.code: str(arm.id) for arm in Arm.objects.all()}
    shown_forms = dana.page(experiment).context["inline_admin_formsets"][0].formset.initial_forms
    five = next(one for one in shown_forms if one.instance.code == "five")
    assert (five.initial["share_percent"], five.initial["free_count"]) == ("50", 5)
    answer = dana.post(
        f"{LIST}{experiment.id}/change/",
        **form(
            layer,
            CONTROL | {"id": ids["control"], "experiment": str(experiment.id)},
            FIVE | {"id": ids["five"], "experiment": str(experiment.id), "free_count": "4"},
            initial=2,
        ),
    )

    assert answer.status_code == 302, answer.context["errors"]
    assert [terms.adjustment.free_count for terms in ArmTerms.objects.all()] == [4]
    assert [line.asks for line in dana.page(experiment).context["lines"]] == [
        "as everybody",
        "4 free",
    ]


def test_started_it_counts_who_has_met_which_arm_and_is_ended(
    dana: Desk, layer: Layer, series: Series, api: Client, now: datetime
) -> None:
    experiment = drafted(dana, layer, CONTROL, FIVE | {"free_count": "7"})
    dana.page(experiment)
    assert dana.step(experiment, "ask") == ["Started."]
    viewer = {"viewer__created_at": now}
    for arm in ("five", "five", "control"):
        shown(api, series, device_in(experiment, arm, **viewer), now)
    page = dana.page(experiment)
    counted = [
        (line.code, line.exposed_count, line.exposed_share) for line in page.context["lines"]
    ]
    assert counted == [("control", 1, "33.33 %"), ("five", 2, "66.67 %")]
    assert b'name="code"' not in page.content

    assert dana.step(experiment, "end")[0].startswith("Ended")
    assert Experiment.objects.get().ended_by == dana.user
    said = LogEntry.objects.order_by("id").values_list("change_message", flat=True)
    assert list(said)[1:] == ["Started.", "Ended: everybody is asked what everybody is asked."]
    assert "ended already" in dana.step(experiment, "end")[0]


def test_one_that_makes_titles_much_dearer_takes_somebody_else(
    dana: Desk, erin: Desk, series: Series, now: datetime
) -> None:
    experiment = experiments.draft(asked={"other": DEAR}, now=now)
    assert "somebody else has to agree" in dana.step(experiment, "ask")[0]
    assert not dana.page(experiment).context["may_agree"]
    assert "somebody else has to agree" in dana.step(experiment, "agree")[0]
    assert Experiment.objects.get().state == "waiting"
    assert erin.step(experiment, "agree") == ["Agreed to, and started."]
    assert (Experiment.objects.get().state, Experiment.objects.get().agreed_by) == (
        "running",
        erin.user,
    )


def change_price(experiment: Experiment, now: datetime) -> None:
    price_experiments.ask_in(
        experiment.arms.get(code="other"), Adjustment(price_coins=500), now=now
    )


def change_titles(experiment: Experiment, now: datetime) -> None:
    titles = Series.objects.values_list("id", flat=True)
    price_experiments.ask_in(experiment.arms.get(code="other"), DEAR, series_ids=titles, now=now)


def change_shares(experiment: Experiment, now: datetime) -> None:
    for code, share in (("control", 100_000), ("other", 900_000)):
        experiment.arms.filter(code=code).update(share_parts_per_million=share)


def change_slice(experiment: Experiment, now: datetime) -> None:
    Experiment.objects.update(slice_from=0, slice_to=999_999)


@pytest.mark.parametrize("change", [change_price, change_titles, change_shares, change_slice])
def test_nobody_agrees_to_what_they_were_not_shown(
    dana: Desk,
    erin: Desk,
    series: Series,
    now: datetime,
    change: Callable[[Experiment, datetime], None],
) -> None:
    """Asked for again at the very same moment, too."""
    experiment = experiments.draft(asked={"other": DEAR}, now=now)
    dana.step(experiment, "ask")
    page = erin.page(experiment)
    dana.step(experiment, "return")
    change(experiment, now)
    dana.step(experiment, "ask")

    assert "asked for anew since you looked" in erin.pressed(page, experiment, "agree")[0]
    assert Experiment.objects.get().state == "waiting"
    assert erin.step(experiment, "agree") == ["Agreed to, and started."]


def test_what_was_shown_to_one_is_no_proof_for_another(
    dana: Desk, erin: Desk, series: Series, now: datetime
) -> None:
    experiment = experiments.draft(asked={"other": DEAR}, now=now)
    dana.step(experiment, "ask")

    assert "since you looked" in erin.pressed(dana.page(experiment), experiment, "agree")[0]
    assert b'name="shown"' in erin.page(experiment).content


def test_what_waits_is_withdrawn_or_refused(
    dana: Desk, erin: Desk, series: Series, now: datetime
) -> None:
    experiment = experiments.draft(asked={"other": DEAR}, now=now)
    for desk in (dana, erin):
        dana.step(experiment, "ask")
        assert desk.step(experiment, "return") == ["It is a draft again."]


def test_every_complaint_is_said_and_nothing_is_started(
    dana: Desk, layer: Layer, series: Series
) -> None:
    experiment = drafted(
        dana, layer, CONTROL, FIVE | {"share_percent": "40"}, slice_from_percent="0"
    )
    said = dana.step(experiment, "ask")

    assert any("add up to 90 %" in one for one in said)
    assert any("first 10 % of the layer" in one for one in said)
    assert Experiment.objects.get().state == "draft"


@pytest.mark.parametrize(
    ("arm", "given", "field"),
    [
        ({"price_coins": "9", "scale_percent": "50"}, {}, "Name a price or a percentage"),
        ({"share_percent": "101"}, {}, "less than or equal to 100"),
        ({"code": "Five!"}, {}, "Enter a valid"),
        ({"price_coins": "0"}, {}, "greater than or equal to 1"),
        ({}, {"slice_from_percent": "60"}, "The slice ends after it begins"),
        ({}, {"code": "a:b"}, "Enter a valid"),
        ({"code": "FIVE_episodes"}, {}, "made of small letters"),
        ({"share_percent": "0"}, {}, "greater than or equal to 0.0001"),
    ],
)
def test_what_cannot_be_is_not_kept(
    dana: Desk, layer: Layer, arm: dict[str, Any], given: dict[str, Any], field: str
) -> None:
    answer = dana.post(f"{LIST}add/", **form(layer, CONTROL, FIVE | arm, **given))

    assert answer.status_code == 200
    assert field in answer.content.decode()
    assert not Experiment.objects.exists()


def test_nobody_edits_or_deletes_what_was_asked_for(
    dana: Desk, layer: Layer, series: Series, now: datetime
) -> None:
    experiment = experiments.running(now=now, layer=layer, slice_from=100_000)
    before = (Experiment.objects.values().get(), list(Arm.objects.values()))
    for page in ("change", "delete"):
        answer = dana.post(
            f"{LIST}{experiment.id}/{page}/", **form(layer, CONTROL, FIVE), post="yes"
        )
        assert answer.status_code == 403
    changed = dana.post(
        f"/admin/viewers/layer/{layer.id}/change/", code="other", holdout_percent="20"
    )
    assert changed.status_code == 403
    assert dana.get(f"/admin/viewers/layer/{layer.id}/change/").status_code == 200
    assert (Experiment.objects.values().get(), list(Arm.objects.values())) == before
    assert Layer.objects.get().holdout_parts_per_million == 100_000


def test_a_draft_is_deleted_with_its_arms(dana: Desk, layer: Layer) -> None:
    experiment = drafted(dana, layer)
    assert dana.post(f"{LIST}{experiment.id}/delete/", post="yes").status_code == 302
    assert (Experiment.objects.count(), Arm.objects.count(), ArmTerms.objects.count()) == (0, 0, 0)


def test_a_layer_is_made_in_percent(dana: Desk, now: datetime) -> None:
    answer = dana.post("/admin/viewers/layer/add/", code="offers", holdout_percent="2.5")
    assert answer.status_code == 302
    layer = Layer.objects.get()
    assert (layer.code, layer.holdout_parts_per_million, layer.created_at) == (
        "offers",
        25_000,
        now,
    )


def test_the_list_of_layers_asks_once_what_runs_in_them(dana: Desk, now: datetime) -> None:
    def listed() -> tuple[int, list[str]]:
        with CaptureQueriesContext(connection) as queries:
            page = dana.get("/admin/viewers/layer/")
        shown = page.context["cl"]
        return len(queries), [shown.model_admin.running(one) for one in shown.result_list]

    layers = [experiments.layer(f"layer-{number}", now=now) for number in range(4)]
    few, nothing = listed()
    for code, start in (("second", 500_000), ("first", 0)):
        experiments.running(
            layer=layers[0], code=code, slice_from=start, slice_to=start + 500_000, now=now
        )
    experiments.running(layer=layers[2], code="third", now=now)

    assert nothing == ["–"] * 4
    assert listed() == (few, ["first, second", "–", "third", "–"])
    assert few < 15


@pytest.mark.parametrize("role", ["support", "analyst"])
def test_who_only_reads_starts_nothing(role: str, now: datetime, series: Series) -> None:
    reader = Desk("rea", role, now)
    experiment = experiments.draft(now=now)
    page = reader.page(experiment)
    assert not page.context["may_ask"]
    for step in ("ask", "agree", "return", "end"):
        assert reader.post(f"{LIST}{experiment.id}/{step}/").status_code == 403
    assert Experiment.objects.get().state == "draft"


def test_the_explanation_page_names_the_experiment_and_the_arm(
    series: Series, now: datetime
) -> None:
    experiment = experiments.free_counts(now=now, code="free-count-2026")
    device = device_in(experiment, "five")
    support = Desk("sue", "support", now)
    episode = series.episodes.get(number=6)
    page = support.get(
        f"/admin/payments/entitlement/why/?viewer={device.viewer_id}&episode={episode.id}"
    )
    assert page.status_code == 200
    assert "experiment free-count-2026, arm five" in page.content.decode()
