"""A sandbox that does not answer keeps nothing that production has lost from being found, and rings by itself."""

from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection

from config import clock
from payments import tasks
from payments.messages import alarms, history
from payments.models import StoreHistory, StoreMessage
from payments.providers.base import ProviderAdapter
from payments.providers.stripe.accounts import StripeAccounts
from payments.providers.stripe.adapter import StripeAdapter
from payments.store import purchases
from tests.payments.providers.stalls import AppleStall, StripeStall
from tests.payments.providers.stripe.shop import Shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def apple(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppleStall]:
    """The only store: its sandbox answers with errors."""
    stall = AppleStall(tmp_path)
    monkeypatch.setattr(purchases, "adapters", lambda: {"apple": stall.adapter})
    stall.fails({"kind": "status", "status": 503, "matching": "/sandbox"})
    yield stall
    stall.close()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[StripeStall]:
    (tmp_path / "live").mkdir()
    stall = StripeStall(tmp_path / "live")
    yield stall
    stall.close()


@pytest.fixture
def test_account(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "test")
    yield shop
    shop.close()


def with_a_dead_test_key(live: StripeStall, test_account: Shop) -> ProviderAdapter:
    """Both accounts at one address, as in the settings: the test account's key was revoked since."""
    with test_account.stripe.kept.changing() as state:
        state.secret_key = "sk_test_another"
    assert isinstance(test_account.adapter, StripeAdapter)
    return StripeAccounts({"sandbox": test_account.adapter, "production": live.account})


def found(provider: str) -> int:
    return StoreMessage.objects.filter(provider=provider, arrived_by="pulled").count()


def test_production_of_apple_is_read_while_its_sandbox_answers_with_errors(
    apple: AppleStall,
) -> None:
    apple.buy()

    assert tasks.read_histories() == 1

    assert found("apple") == 1
    read = {one.environment: one for one in StoreHistory.objects.all()}
    assert (read["production"].failures, read["sandbox"].failures) == (0, 1)
    assert read["production"].read_at is not None
    assert read["sandbox"].read_at is None


def test_production_of_stripe_is_read_while_the_test_accounts_key_is_dead(
    live: StripeStall, test_account: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = with_a_dead_test_key(live, test_account)
    monkeypatch.setattr(purchases, "adapters", lambda: {"stripe": accounts})
    live.buy()

    assert tasks.read_histories() > 0

    assert found("stripe") == StoreMessage.objects.filter(environment="production").count() > 0
    read = dict(StoreHistory.objects.values_list("environment", "failures"))
    assert read == {"production": 0, "sandbox": 1}


def test_the_alarm_says_which_of_them_was_not_read(apple: AppleStall) -> None:
    tasks.read_histories()
    later = clock.read() + history.OVERLAP
    StoreHistory.objects.filter(environment="production").update(read_at=later)

    (alarm,) = [one for one in alarms.ringing(now=later) if one.code == "history_late"]

    assert alarm.sentence == "The history of apple (sandbox) was never read."
    assert alarm.query == "provider__exact=apple&environment__exact=sandbox"


def test_an_account_that_is_no_more_in_the_settings_does_not_ring(
    live: StripeStall, test_account: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = with_a_dead_test_key(live, test_account)
    monkeypatch.setattr(purchases, "adapters", lambda: {"stripe": accounts})
    tasks.read_histories()
    later = clock.read() + timedelta(hours=7)
    StoreHistory.objects.filter(environment="production").update(read_at=later)
    assert [one.code for one in alarms.ringing(now=later)] == ["history_late"]

    monkeypatch.setattr(purchases, "adapters", lambda: {"stripe": live.adapter})

    assert alarms.ringing(now=later) == []


def test_a_sandboxs_history_goes_on_where_that_of_both_has_got_to() -> None:
    at = clock.read() - timedelta(days=9)
    for provider in ("apple", "google", "fake"):
        StoreHistory.objects.create(
            provider=provider, environment="production", read_until=at, read_at=at, found_count=7
        )
    migration = import_module("payments.migrations.0033_a_history_for_each_environment")

    for _ in "ab":
        migration.begin_apart(SimpleNamespace(connection=connection))

    apart = StoreHistory.objects.get(environment="sandbox")
    assert (apart.provider, apart.read_until, apart.read_at) == ("apple", at, at)
    assert (apart.found_count, apart.failures, apart.resume_at) == (0, 0, None)


def test_a_sandbox_that_is_slow_holds_another_lock_than_production(apple: AppleStall) -> None:
    locks = [history.lock_of(*one) for one in history.kept()]
    assert len(set(locks)) == len(locks) == 2
    assert [environment for _, environment in history.kept()] == ["production", "sandbox"]
