"""`manage.py verify_ledger` reads one moment, has the time it needs, and names what is wrong."""

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from config import clock
from payments.ledger import verification
from payments.ledger.days import digests
from payments.models import Transfer
from tests.factories.payments import fund
from tests.payments.ledger.days.story import DAY
from viewers.models import Device

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rule(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    """A file of rules of the test's own, beside which no other is asked."""
    path = tmp_path / "rules.sql"
    settings.LEDGER_CHECKS = [path]
    return path


def test_a_sound_ledger_is_told_with_the_number_of_rules(
    device: Device, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    fund(device.viewer_id, now=now)
    call_command("verify_ledger")
    assert capsys.readouterr().out == f"{len(verification.rules())} rules hold.\n"


def test_each_rule_is_timed_when_asked(
    device: Device, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("verify_ledger", verbosity=2)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(verification.rules()) + 2
    assert all(" s  " in line for line in printed[:-1])


def test_a_rule_that_is_broken_is_named_with_its_rows(
    rule: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule.write_text(
        "-- check: there are no numbers\nSELECT n::text, 'odd' FROM generate_series(1, 3) n;\n"
    )
    with pytest.raises(CommandError, match=r"^3 violations\.$"):
        call_command("verify_ledger")
    assert capsys.readouterr().out.splitlines() == [
        f"there are no numbers: {n} (odd)" for n in (1, 2, 3)
    ]


def test_many_violations_are_counted_and_the_first_named(
    rule: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule.write_text(
        "-- check: there are no numbers\nSELECT n::text, '' FROM generate_series(1, 4321) n;\n"
        "-- check: there is no one\nSELECT '1', '';\n"
    )
    with pytest.raises(CommandError, match=r"^4322 violations\.$"):
        call_command("verify_ledger")
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == verification.NAMED + 2
    assert printed[-2:] == ["there are no numbers: 4221 more", "there is no one: 1 ()"]


def test_a_rule_has_longer_than_a_request(rule: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule.write_text(
        "-- check: the limit is its own\n"
        "SELECT current_setting('statement_timeout'), current_setting('transaction_read_only');\n"
    )
    with pytest.raises(CommandError):
        call_command("verify_ledger", "--rules-only")
    assert capsys.readouterr().out == "the limit is its own: 10min (on)\n"
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("5s",)


def test_what_is_posted_meanwhile_is_not_seen(device: Device, now: datetime, rule: Path) -> None:
    """Between two rules somebody tops up: to the second, nothing has happened."""
    fund(device.viewer_id, now=now)

    def elsewhere() -> None:
        fund(device.viewer_id, now=now)
        connection.close()

    counted = []
    with verification.snapshot():
        for _ in range(2):
            counted.append(Transfer.objects.count())
            other = threading.Thread(target=elsewhere)
            other.start()
            other.join()
    assert counted == [1, 1]
    assert Transfer.objects.count() == 3


def test_a_day_that_is_not_what_was_sealed_is_named(
    device: Device, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    fund(device.viewer_id, now=now)
    tomorrow = clock.read() + DAY
    # The digest of the day that is not over yet, as though it were.
    while digests.seal_next(now=tomorrow + DAY / 4):
        pass
    call_command("verify_ledger")
    fund(device.viewer_id, now=now)

    capsys.readouterr()
    with pytest.raises(CommandError, match="0 violations and a day that is not what was sealed"):
        call_command("verify_ledger")
    assert "is not what was sealed: 4 entries hash to" in capsys.readouterr().out
    call_command("verify_ledger", "--rules-only")
