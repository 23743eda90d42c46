"""Networks' reports are taken whole or not at all, by operators, by command and by schedule."""

from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from ads.models import ReportedDay, ReportLine, RevenueDay, RevenueReport, TrueUp
from ads.revenue import settling
from tests.factories.ads import PlacementFactory, bring_report, report_file
from tests.factories.operators import operator, signed_in

DAY = timedelta(days=1)

pytestmark = pytest.mark.usefixtures("_the_ledger_holds")


def test_a_report_with_a_bad_line_counts_for_nothing_and_says_which(now: datetime) -> None:
    yesterday, today = now.date() - DAY, now.date()

    taken = bring_report((yesterday, "unit", "US", "1"), (today, "unit", "US", "1"), now=now)

    assert [(one.line_number, one.reason) for one in taken.refusals] == [
        (3, f"{today} is not over for this network.")
    ]
    assert RevenueReport.objects.get().refusals == [
        {"line": 3, "reason": f"{today} is not over for this network."}
    ]
    assert not ReportedDay.objects.exists()
    assert not RevenueDay.objects.exists()


def test_lines_of_one_cell_are_one_and_scopes_stand_beside_each_other(now: datetime) -> None:
    day = now.date() - DAY
    lines = [(day, "unit", "US", "0.0000004")] * 3 + [(day, "unit", "", "2")]

    bring_report(*lines, now=now, scope="one")
    bring_report((day, "unit", "US", "3"), now=now, scope="two")
    settling.settle_due(now=now)

    micros = ReportLine.objects.order_by("revenue_micros").values_list("revenue_micros", flat=True)
    # Added up exactly before they are rounded.
    assert list(micros) == [1, 2_000_000, 3_000_000]
    assert sorted(ReportedDay.objects.values_list("scope", "version")) == [("one", 1), ("two", 1)]


def test_a_day_is_told_as_a_whole_or_by_scope_but_not_twice(now: datetime) -> None:
    day = now.date() - DAY
    line, nothing = (day, "unit", "US", "1"), (day, "unit", "US", "0")
    bring_report(line, now=now, scope="one")

    (refusal,) = bring_report(line, now=now).refusals
    assert refusal.reason.startswith(f"{day} has been reported by scope")
    bring_report(nothing, now=now, scope="one")
    assert bring_report(line, now=now).new_days == [day]
    assert "without a scope" in bring_report(line, now=now, scope="one").refusals[0].reason

    assert RevenueReport.objects.filter(refusals=[]).count() == 3


def test_a_day_of_long_ago_was_written_in_another_order(now: datetime) -> None:
    taken = bring_report(("0001-03-02", "unit", "US", "1"), now=now)

    assert [one.reason for one in taken.refusals] == ["0001-03-02 is too long ago."]
    assert not RevenueDay.objects.exists()


def test_the_command_tells_what_it_took_and_what_it_did_not(tmp_path: Path) -> None:
    file = tmp_path / "report.csv"
    file.write_bytes(b"When,Money\n2026-03-12,1.5\n2026-03-13,2\n")
    columns = ["--column", "day=When", "--column", "revenue=Money", "--currency", "USD"]
    said, complaints = StringIO(), StringIO()

    call_command("import_ad_report", "wechat", str(file), *columns, stdout=said)
    with pytest.raises(CommandError, match="Nothing was taken"):
        call_command("import_ad_report", "wechat", str(file), stderr=complaints)

    assert said.getvalue() == "2 days are new, 0 were known so.\n"
    assert "no column day or date" in complaints.getvalue()
    for wrong in ([str(file), "--column", "day"], [str(tmp_path / "none")]):
        with pytest.raises(CommandError):
            call_command("import_ad_report", "wechat", *wrong)
    assert RevenueReport.objects.filter(refusals=[]).count() == 1


def test_an_operator_brings_a_report_and_reads_what_came_of_it(now: datetime) -> None:
    placement = PlacementFactory(title="At the paywall")
    finance = signed_in(operator(role="finance"))
    lines = [(now.date() - DAY, placement.ad_unit_id, "US", "0.25")]

    def bring(content: bytes) -> str:
        form = {
            "network": "fake",
            "scope": "",
            "currency": "",
            "columns": "",
            "file": SimpleUploadedFile("march.csv", content),
        }
        return finance.post("/admin/ads/revenuereport/add/", form, follow=True).text

    assert "1 days are new" in bring(report_file(*lines))
    page = bring(report_file(*lines, ("2999-01-01", "unit", "US", "1")))
    assert "Nothing was taken" in page
    assert "Line 3" in page
    settling.settle_due(now=now)

    day = finance.get(f"/admin/ads/revenueday/{RevenueDay.objects.get().id}/change/").text
    assert "At the paywall" in day
    assert "0.250000" in day
    unit = placement.ad_unit_id.rpartition("/")[2]
    assert unit in finance.get("/admin/ads/trueup/").text
    assert unit in finance.get(f"/admin/ads/trueup/{TrueUp.objects.get().id}/change/").text
    assert "march.csv" in finance.get("/admin/ads/revenuereport/").text
    for page_of in ("revenueday", "reportpull"):
        assert finance.get(f"/admin/ads/{page_of}/").status_code == 200


@pytest.mark.parametrize("columns", ["day", "viewer=Day", "day=Day, revenue"])
def test_columns_that_are_none_are_said_so(columns: str) -> None:
    client: Client = signed_in(operator(role="owner"))
    form = {"network": "fake", "columns": columns, "file": SimpleUploadedFile("a.csv", b"a")}

    assert "field=Header" in client.post("/admin/ads/revenuereport/add/", form).text
    assert not RevenueReport.objects.exists()


def test_only_who_keeps_the_books_may_bring_one() -> None:
    analyst = signed_in(operator(role="analyst"))

    assert analyst.get("/admin/ads/revenuereport/").status_code == 200
    assert analyst.get("/admin/ads/revenuereport/add/").status_code == 403
