"""Facts of money in the lake are what the ledger says, each once, however late it was committed."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction

from analytics import tasks
from analytics.lake import exporting, facts, file_store, merging, reading
from analytics.models import FactExport, LakeFile
from payments.models import Entitlement
from tests.factories.ads import PlacementFactory, ad_session, watch
from tests.factories.catalog import SeriesFactory, episodes_of
from tests.factories.operators import operator
from tests.factories.payments import buy_pass, default_plan, fund, play
from tests.factories.viewers import DeviceFactory
from tests.payments.diary import Diary

pytestmark = [pytest.mark.usefixtures("own_lake"), pytest.mark.django_db(transaction=True)]
HOUR = timedelta(hours=1)
PATIENCE_SECONDS = 60

OLDER = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname <> current_database() AND backend_xid::text::bigint < %s
"""

#: What of each dataset has to be the same in the database.
SUMS = {
    "ledger_entries": ("payments_entry", "amount_coins", "abs(amount_coins)"),
    "unlocks": ("payments_unlock", "price_coins", "value_micros + attribution_micros"),
    "unlock_corrections": ("payments_unlockcorrection", "coins", "value_micros"),
    "purchases": ("payments_purchase", "net_micros", "paid_coins + bonus_coins"),
    "pass_purchases": ("payments_passpurchase", "net_micros", "gross_micros"),
    "refunds": ("payments_refundbooking", "net_micros", "difference_micros"),
    "pass_refunds": ("payments_passrefundbooking", "net_micros", "gross_micros"),
    "fee_adjustments": ("payments_feeadjustment", "difference_micros", "0"),
    "entitlements": ("payments_entitlement", "0", "0"),
    "rewards": ("ads_reward", "revenue_micros", "0"),
}


def export(*, at):
    others_have_ended()
    while exporting.export_next(now=at):
        pass


def others_have_ended():
    """Tests of other databases share the cluster, and an older transaction of theirs holds everything back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        ((until,),) = cursor.fetchall()
        for _ in range(PATIENCE_SECONDS * 20):
            cursor.execute(OLDER, [until])
            if cursor.fetchall() == [(0,)]:
                return
            time.sleep(0.05)
    raise AssertionError("another database's transaction does not end")


def in_lake(name):
    _, first, second = SUMS[name]
    with reading.facts_connection([name]) as opened:
        (row,) = opened.execute(
            f"SELECT count(*), count(DISTINCT {facts.FACTS[name].dataset.key}),"
            f" coalesce(sum({first}), 0)::BIGINT, coalesce(sum({second}), 0)::BIGINT FROM {name}"
        ).fetchall()
    return row


def in_database(name):
    table, first, second = SUMS[name]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), count(*), coalesce(sum({first}), 0)::bigint,"
            f" coalesce(sum({second}), 0)::bigint FROM {table}"
        )
        return cursor.fetchone()


@pytest.fixture
def diary(now):
    default_plan()
    device = DeviceFactory()
    series = SeriesFactory()
    episodes_of(series, range(1, 15))
    return Diary(device.viewer_id, series, now, operator("olga"), operator("piet"))


@pytest.fixture
def only(monkeypatch):
    """Has no other dataset exported."""

    def choose(name):
        monkeypatch.setattr(exporting, "FACTS", {name: facts.FACTS[name]})

    return choose


def assert_same(*names):
    for name in names:
        assert in_lake(name) == in_database(name), name


def test_every_sum_is_that_of_the_ledger(diary, now):
    bought = diary.buy(paid=200, bonus=50)
    diary.unlock(9)
    buy_pass(DeviceFactory().viewer_id, now=now)
    export(at=now)
    assert_same(*facts.FACTS)
    assert in_lake("ledger_entries")[2] == 0

    undone = diary.unlock(10)
    play(Entitlement.objects.filter(episode=diary.episode(9)), now=diary.now)
    diary.undo(undone)
    diary.refund(bought)
    session = ad_session(
        PlacementFactory(),
        viewer_id=DeviceFactory().viewer_id,
        episode_id=diary.episode(9).id,
        now=now,
    )
    watch(session, now=now)
    assert in_lake("unlocks") != in_database("unlocks")
    export(at=now + HOUR)

    assert_same(*facts.FACTS)
    assert {name for name in facts.FACTS if in_database(name)[0]} >= {
        "ledger_entries",
        "unlocks",
        "unlock_corrections",
        "purchases",
        "pass_purchases",
        "refunds",
        "entitlements",
        "rewards",
    }


def test_what_commits_late_comes_late_and_once(diary, now, only):
    """A transaction that has drawn its ids and its moment is overtaken by another, and by an export."""
    only("purchases")
    diary.buy()
    begun, may_commit = threading.Event(), threading.Event()
    other = DeviceFactory().viewer_id

    def slow():
        try:
            with transaction.atomic():
                fund(other, now=now - HOUR)
                begun.set()
                may_commit.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert begun.wait(30)
    diary.buy()
    export(at=now)
    early = in_lake("purchases")
    export(at=now + HOUR)
    assert in_lake("purchases") == early
    may_commit.set()
    thread.join()

    export(at=now + 2 * HOUR)

    assert early[0] < 3
    assert in_lake("purchases")[0] == 3
    assert_same("purchases")
    export(at=now + 3 * HOUR)
    assert_same("purchases")


def test_a_right_that_changes_after_it_was_exported_is_read_once(diary, now, only):
    only("entitlements")
    diary.buy()
    diary.unlock(9)
    export(at=now)
    diary.play(9)

    export(at=now + HOUR)

    rows = LakeFile.objects.filter(dataset="entitlements").values_list("row_count", flat=True)
    assert sum(rows) == 2
    assert_same("entitlements")


def test_in_another_cluster_all_is_exported_anew(diary, now, only):
    only("purchases")
    diary.buy()
    export(at=now)
    FactExport.objects.update(cluster=1)

    export(at=now + HOUR)

    assert_same("purchases")
    assert LakeFile.objects.filter(dataset="purchases", retired_at=now + HOUR).exists()


def test_files_of_a_dataset_are_merged_with_their_like(diary, now, only, monkeypatch):
    only("purchases")
    monkeypatch.setattr(merging, "MANY", 2)
    for hours in range(2):
        diary.buy()
        export(at=now + hours * HOUR)
    while merging.merge_next(now=now + 3 * HOUR):
        pass

    live = LakeFile.objects.filter(dataset="purchases", retired_at=None)
    assert live.get().row_count == 2
    assert live.get().path.startswith("facts/purchases/day=2026-03-14/merged-")
    assert file_store.local_path(live.get().path).exists()
    assert_same("purchases")


def test_no_report_of_events_reads_facts(diary, now, only):
    only("purchases")
    diary.buy()
    export(at=now)
    assert reading.live_files() == []
    with reading.connection() as opened:
        assert opened.execute("SELECT count(*) FROM events").fetchall() == [(0,)]


def test_the_task_exports_each_dataset_once_an_hour(diary):
    others_have_ended()
    assert tasks.export_facts() == len(facts.FACTS)
    assert tasks.export_facts() == 0
