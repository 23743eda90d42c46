"""An accountant books a day from its journal: every line in words, debits and credits alike."""

import csv
import io
from datetime import datetime

import pytest
from django.core.management import call_command
from django.test import Client

from payments.ledger.days import closing, journal
from payments.ledger.days.journal import Account
from payments.models import Refund
from payments.store.operator_refunds import reverse
from tests.factories.operators import operator, signed_in
from tests.factories.payments import fund
from tests.payments.ledger.days.story import DAY, lapse, money_back
from viewers.models import Device

Shown = tuple[str, str, int, int]


def lines(moment: datetime, *, environment: str = "production") -> list[Shown]:
    """Provider, account, debit and credit of a day's lines."""
    return [
        (line.provider, line.account, line.debit_micros, line.credit_micros)
        for line in journal.of_day(closing.local_date(moment))
        if line.environment == environment
    ]


def test_the_worked_example_is_booked_on_three_days(example: None, now: datetime) -> None:
    assert lines(now) == [
        ("fake", "accounts_receivable", 8_491_500, 0),
        ("fake", "deferred_revenue", 0, 8_491_500),
        ("fake", "deferred_revenue", 485_229, 0),
        ("fake", "revenue_coins", 0, 485_229),
    ]
    assert lines(now + DAY) == [
        ("fake", "deferred_revenue", 485_228, 0),
        ("fake", "revenue_coins", 0, 485_228),
        ("fake", "receivable_ads", 12_000, 0),
        ("fake", "revenue_ads", 0, 12_000),
    ]
    assert lines(now + 2 * DAY) == [
        # The unlock that nobody had played is undone,
        ("fake", "revenue_coins", 485_228, 0),
        ("fake", "deferred_revenue", 0, 485_228),
        # so that what goes back is what is deferred, and the value of the episode that is kept.
        ("fake", "deferred_revenue", 8_006_271, 0),
        ("fake", "accounts_receivable", 0, 8_006_271),
        ("fake", "revenue_coins", 485_229, 0),
        ("fake", "accounts_receivable", 0, 485_229),
    ]
    assert lines(now + 3 * DAY) == []
    assert lines(now, environment="sandbox") == []


def test_after_the_refund_the_books_are_level(example: None, now: datetime) -> None:
    booked = [line for n in range(3) for line in lines(now + n * DAY)]
    left = {
        account: sum(debit - credit for _, name, debit, credit in booked if name == account)
        for account in Account
    }
    assert {str(account): left[account] for account in left if left[account]} == {
        "receivable_ads": 12_000,
        "revenue_ads": -12_000,
    }


def test_a_refund_that_did_not_stand_is_booked_back(example: None, now: datetime) -> None:
    reverse(Refund.objects.get(), operator_id=None, now=now + 3 * DAY)
    assert lines(now + 3 * DAY) == [
        # The unlock that was undone is charged again.
        ("fake", "deferred_revenue", 485_228, 0),
        ("fake", "revenue_coins", 0, 485_228),
        ("fake", "accounts_receivable", 8_006_271, 0),
        ("fake", "deferred_revenue", 0, 8_006_271),
        ("fake", "accounts_receivable", 485_229, 0),
        ("fake", "revenue_coins", 0, 485_229),
    ]


def test_what_lapsed_is_earned_and_its_refund_is_a_difference(
    device: Device, now: datetime, terms: None
) -> None:
    bought = fund(device.viewer_id, now=now, paid=100, bonus=100, price_micros=2_000_000)
    lapse(now + DAY)
    money_back(bought, now + 2 * DAY)
    assert lines(now + DAY) == [
        ("fake", "deferred_revenue", 850_000, 0),
        ("fake", "revenue_breakage", 0, 850_000),
    ]
    assert lines(now + 2 * DAY) == [
        ("fake", "deferred_revenue", 850_000, 0),
        ("fake", "accounts_receivable", 0, 850_000),
        ("fake", "revenue_differences", 850_000, 0),
        ("fake", "accounts_receivable", 0, 850_000),
    ]


def test_sandbox_is_booked_apart(device: Device, now: datetime) -> None:
    fund(device.viewer_id, now=now, environment="sandbox")
    assert lines(now) == []
    assert [row[2:] for row in lines(now, environment="sandbox")] == [
        (4_990_000, 0),
        (0, 4_990_000),
    ]


def test_debits_are_credits_and_every_line_has_words(example: None, now: datetime) -> None:
    for n in range(4):
        found = journal.of_day(closing.local_date(now + n * DAY))
        assert sum(line.debit_micros - line.credit_micros for line in found) == 0
        assert all(line.words[0].isupper() and len(line.words) > 20 for line in found)
        assert all(bool(line.debit_micros) != bool(line.credit_micros) for line in found)


def test_the_command_prints_lines_that_can_be_booked(
    example: None, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("journal", "--day", closing.local_date(now).isoformat())
    printed = capsys.readouterr().out
    assert "8,491,500" in printed
    assert "Coins sold: owed by the store" in printed
    call_command("journal", "--day", closing.local_date(now - DAY).isoformat())
    assert "Nothing was booked." in capsys.readouterr().out


def test_the_file_has_the_same_lines(
    example: None, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("journal", "--day", closing.local_date(now).isoformat(), "--csv")
    assert _read(capsys.readouterr().out) == lines(now)


def test_an_operator_downloads_it(example: None, now: datetime) -> None:
    day = closing.local_date(now)
    answer = signed_in(operator(role="finance")).get(f"/admin/payments/moneyday/journal/{day}.csv")
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == f'attachment; filename="journal-{day}.csv"'
    assert _read(answer.content.decode()) == lines(now)


@pytest.mark.parametrize("day", ["2026-02-30", "yesterday", "2026-1-1"])
def test_no_day_is_no_file(db: None, day: str) -> None:
    client: Client = signed_in(operator(role="finance"))
    assert client.get(f"/admin/payments/moneyday/journal/{day}.csv").status_code == 404


def _read(text: str) -> list[Shown]:
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    return [
        (
            row["provider"],
            row["account"],
            int(row["debit_micros"] or 0),
            int(row["credit_micros"] or 0),
        )
        for row in csv.DictReader(io.StringIO("\n".join(rows)))
    ]
