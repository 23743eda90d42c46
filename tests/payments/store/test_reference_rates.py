"""The central bank's files become rates of the reporting currency, exactly, and once known they stay."""

import io
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.utils import ProgrammingError
from django.test import Client, override_settings
from hypothesis import given
from hypothesis import strategies as some

from payments.models import ExchangeRate
from payments.store import exchange, reference_rates
from payments.store.reference_rates import RatesRefused
from tests.factories.operators import operator, signed_in
from tests.factories.viewers import clock_headers

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
HISTORY = (
    b"Date,USD,JPY,BGN,CYP,\n"
    b"2026-03-13,1.0889,161.83,1.9558,N/A,\n"
    b"2026-03-12,1.0925,161.57,1.9558,N/A,\n"
)
DAILY = b"Date, USD, JPY, BGN, \r\n13 March 2026, 1.0889, 161.83, 1.9558, \r\n"


def zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as folder:
        folder.writestr("eurofxref-hist.csv", content)
    return packed.getvalue()


def kept() -> dict[tuple[str, str], str]:
    return {
        (rate.currency, rate.day.isoformat()): f"{rate.rate:f}"
        for rate in ExchangeRate.objects.all()
    }


@pytest.mark.django_db
class TestAdding:
    def test_crosses_each_currency_over_the_euro(self) -> None:
        imported = reference_rates.add(HISTORY, now=NOW)

        assert (imported.added, imported.known, imported.kept) == (6, 0, [])
        assert kept() == {
            ("EUR", "2026-03-13"): "1.0889000000",
            ("JPY", "2026-03-13"): "0.0067286659",
            ("BGN", "2026-03-13"): "0.5567542694",
            ("EUR", "2026-03-12"): "1.0925000000",
            ("JPY", "2026-03-12"): "0.0067617751",
            ("BGN", "2026-03-12"): "0.5585949484",
        }
        assert set(ExchangeRate.objects.values_list("source", "created_at")) == {("ECB", NOW)}

    @pytest.mark.parametrize("content", [DAILY, b"\xef\xbb\xbf" + DAILY, zipped(DAILY)])
    def test_reads_the_file_of_a_day_and_its_zip(self, content: bytes) -> None:
        assert reference_rates.add(content, now=NOW).added == 3
        assert kept()["EUR", "2026-03-13"] == "1.0889000000"

    def test_what_is_known_stays_and_is_told_of(self) -> None:
        reference_rates.add(DAILY, now=NOW)
        again = reference_rates.add(HISTORY, now=NOW)
        other = reference_rates.add(DAILY.replace(b"1.0889", b"1.5"), now=NOW)

        assert (again.added, again.known, again.kept) == (3, 3, [])
        assert (other.added, other.known) == (0, 3)
        assert other.kept[0] == "EUR on 2026-03-13: 1.0889 is kept, not 1.5000000000"
        assert kept()["EUR", "2026-03-13"] == "1.0889000000"

    def test_books_by_what_it_added(self) -> None:
        reference_rates.add(HISTORY, now=NOW)
        rate = exchange.rate("EUR", at=NOW)
        assert (rate.micros(10_000_000), rate.source) == (10_889_000, "ECB 2026-03-13")

    @override_settings(REPORTING_CURRENCY="EUR")
    def test_the_euro_itself_needs_no_crossing(self) -> None:
        reference_rates.add(b"Date,USD\n2026-03-13,1.25\n", now=NOW)
        assert kept() == {("USD", "2026-03-13"): "0.8000000000"}

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\xff\xfe\x00",
            b"PK not a zip",
            b"Day,USD\n2026-03-13,1\n",
            b"Date,USD\n",
            b"Date,USD\n2026-03-15,1\n",
            b"Date,USD\n13/03/2026,1\n",
            b"Date,USD\n2026-03-13,-1\n",
            b"Date,USD\n2026-03-13,0\n",
            b"Date,USD\n2026-03-13,1e5\n",
            b"Date,USD\n2026-03-13,one\n",
            b"Date,USD\n2026-03-13,NaN\n",
            b"Date,usd\n2026-03-13,1\n",
            b"Date,USD,IDR\n2026-03-13,0.000001,999999999\n",
            b'Date,USD\n2026-03-13,"1\n',
            b"Date,USD\n2026-03-13," + b"9" * 400 + b"\n",
            zipped(b"x" * (17 * 1024 * 1024)),
        ],
    )
    def test_refuses_what_is_none_of_the_banks_files_and_keeps_nothing(
        self, content: bytes
    ) -> None:
        with pytest.raises(RatesRefused):
            reference_rates.add(content, now=NOW)
        assert kept() == {}

    def test_a_day_without_the_reporting_currency_has_no_rates(self) -> None:
        with pytest.raises(RatesRefused, match="no rate"):
            reference_rates.add(b"Date,USD,JPY\n2026-03-13,N/A,161\n", now=NOW)

    def test_the_database_lets_nobody_change_one(self) -> None:
        reference_rates.add(DAILY, now=NOW)
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            ExchangeRate.objects.update(rate=2)


amounts = some.decimals(min_value="0.0001", max_value="99999", places=4)


@given(own=amounts, other=amounts)
def test_a_cross_is_off_by_half_of_the_last_decimal_at_most(own: Decimal, other: Decimal) -> None:
    rate = reference_rates.crossed(Fraction(own), Fraction(other))
    assert abs(Fraction(rate) - Fraction(own) / Fraction(other)) <= Fraction(1, 2 * 10**10)
    assert rate.as_tuple().exponent == -10


@pytest.mark.django_db
class TestCommand:
    def test_adds_a_file_and_says_how_many(self, tmp_path: Path, capsys: Any) -> None:
        file = tmp_path / "eurofxref-hist.csv"
        file.write_bytes(HISTORY)
        call_command("import_exchange_rates", str(file))
        call_command("import_exchange_rates", str(file))
        assert capsys.readouterr().out == "6 added, 0 were known.\n0 added, 6 were known.\n"

    def test_says_what_is_wrong_with_it(self, tmp_path: Path) -> None:
        file = tmp_path / "wrong.csv"
        with pytest.raises(CommandError, match="cannot be read"):
            call_command("import_exchange_rates", str(file))
        file.write_bytes(b"Date,USD\n2026-03-13,minus\n")
        with pytest.raises(CommandError, match="Line 2: 'minus' is no rate of USD"):
            call_command("import_exchange_rates", str(file))


@pytest.mark.django_db
class TestAdmin:
    LIST = "/admin/payments/exchangerate/"

    @pytest.fixture
    def finance(self) -> Client:
        return signed_in(operator("fin", role="finance"))

    def bring(self, client: Client, content: bytes) -> Any:
        file = SimpleUploadedFile("eurofxref.csv", content)
        return client.post(f"{self.LIST}import/", {"file": file}, headers=clock_headers(NOW))

    def test_brings_the_banks_file(self, finance: Client) -> None:
        assert self.bring(finance, DAILY).status_code == 302
        content = finance.get(self.LIST).content.decode()
        assert "0.0067286659" in content
        assert "Import the central bank" in content
        refused = self.bring(finance, b"Date,USD\n2026-03-13,minus\n")
        assert "is no rate of USD" in refused.content.decode()

    def test_adds_one_by_hand_and_never_changes_it(self, finance: Client) -> None:
        told = {"currency": "VND", "day": "2026-03-13", "rate": "0.00004", "source": "by hand"}
        answer = finance.post(f"{self.LIST}add/", told, headers=clock_headers(NOW))
        assert answer.status_code == 302
        rate = ExchangeRate.objects.get()
        assert (rate.day, rate.rate, rate.created_at) == (
            date(2026, 3, 13),
            Decimal("0.00004"),
            NOW,
        )
        root = signed_in(operator("root", is_superuser=True))
        for client in (finance, root):
            for what in ("change", "delete"):
                url = f"{self.LIST}{rate.pk}/{what}/"
                assert client.post(url, told | {"post": "yes", "rate": "1"}).status_code == 403
        again = finance.post(f"{self.LIST}add/", told | {"rate": "0.00005"})
        assert again.status_code == 200
        assert ExchangeRate.objects.get().rate == Decimal("0.00004")

    @pytest.mark.parametrize(
        "changes",
        [
            {"currency": "USD"},
            {"currency": "vnd"},
            {"rate": "0"},
            {"rate": "-1"},
            {"rate": "NaN"},
            {"day": "never"},
        ],
    )
    def test_refuses_what_no_rate_is(self, finance: Client, changes: dict[str, str]) -> None:
        told = {"currency": "VND", "day": "2026-03-13", "rate": "0.00004", "source": "by hand"}
        assert finance.post(f"{self.LIST}add/", told | changes).status_code == 200
        assert not ExchangeRate.objects.exists()

    def test_takes_a_role(self) -> None:
        support = signed_in(operator("anna", role="support"))
        assert support.get(self.LIST).status_code == 403
        assert self.bring(support, DAILY).status_code == 403

    def type_in(self, client: Client, **changes: str) -> Any:
        told = {"currency": "XAF", "day": f"{NOW.date()}", "rate": "0.0016", "source": "by hand"}
        return client.post(f"{self.LIST}add/", told | changes, headers=clock_headers(NOW))

    def test_refuses_a_day_that_has_not_come(self, finance: Client) -> None:
        answer = self.type_in(finance, day=f"{NOW.date() + timedelta(days=1)}")
        assert "This day has not come yet." in answer.content.decode()
        assert not ExchangeRate.objects.exists()

    def test_asks_about_a_rate_that_is_far_from_the_last(self, finance: Client) -> None:
        assert self.type_in(finance, day=f"{NOW.date() - timedelta(days=3)}").status_code == 302
        for rate in ("0.016", "0.00127"):
            answer = self.type_in(finance, rate=rate)
            assert "it was 0.0016" in answer.content.decode()
        assert ExchangeRate.objects.count() == 1
        assert self.type_in(finance, rate="0.016", is_far="on").status_code == 302
        assert self.type_in(finance, currency="XOF", rate="0.016").status_code == 302
        assert ExchangeRate.objects.count() == 3

    def test_an_import_is_in_the_audit_trail(self, finance: Client) -> None:
        self.bring(finance, DAILY)
        (logged,) = LogEntry.objects.all()
        assert "rates added" in logged.change_message
        assert logged.user.username == "fin"
