"""What stores said is read in the admin, and applied again where it could not be."""

import base64
import json
import re
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from payments.messages import alarms, reading, settling
from payments.models import Purchase, StoreCall, StoreHistory, StoreMessage
from tests.factories.operators import operator, signed_in
from tests.factories.payments import StoreProductFactory
from tests.factories.viewers import DeviceFactory, clock_headers
from tests.payments.admin.store_rows import applied, month, received, sale
from viewers.models import Device

MESSAGES = "/admin/payments/storemessage/"
CALLS = "/admin/payments/storecall/"
#: The admin's own questions about session, operator and permissions are among these.
LIST_QUERIES = 12
PAGE_QUERIES = 20


@pytest.fixture
def support(db: None) -> Client:
    return signed_in(operator("anna", role="support"))


def listed(client: Client, where: str, **query: str) -> set[Any]:
    answer = client.get(where, query)
    assert answer.status_code == 200
    return {row.pk for row in answer.context["cl"].result_list}


def chosen(client: Client, where: str, action: str, *rows: Any, **more: str) -> Any:
    told = {"action": action, "_selected_action": [str(row.pk) for row in rows], **more}
    return client.post(where, told)


def parked(now: datetime) -> StoreMessage:
    """One that names a product that nobody sells."""
    message = received(now, transactions=(sale(DeviceFactory().viewer_id, "unheard", now),))
    StoreMessage.objects.filter(id=message.id).update(
        state="parked", next_attempt_at=None, reason="No such product.", attempts=3
    )
    message.refresh_from_db()
    return message


def call(now: datetime, *, state: str = "failed") -> StoreCall:
    return StoreCall.objects.create(
        provider="fake",
        environment="production",
        verb="consume",
        subject=f"token-{uuid4()}",
        details={"store_product_id": "coins"},
        state=state,
        attempts=12,
        next_attempt_at=now if state == "waiting" else None,
        reason="The store answered 400.",
        created_at=now,
    )


def test_lists_by_state_store_and_type(support: Client, now: datetime) -> None:
    broken, unknown = parked(now), received(now, type_="news")
    assert listed(support, MESSAGES) == {broken.pk, unknown.pk}
    assert listed(support, MESSAGES, state__exact="parked") == {broken.pk}
    assert listed(support, MESSAGES, type__exact="news") == {unknown.pk}
    assert listed(support, MESSAGES, provider__exact="apple") == set()
    content = support.get(MESSAGES).content.decode()
    assert "news" in content
    assert "told" in content


def test_finds_a_message_by_what_it_is_about_and_by_its_name(
    support: Client, device: Device, now: datetime
) -> None:
    product = StoreProductFactory()
    message = applied(now, transactions=(sale(device.viewer_id, product.store_product_id, now),))
    received(now, type_="news")
    for term in (message.subject, message.event_id, str(message.id), f" {message.subject} "):
        assert listed(support, MESSAGES, q=term) == {message.pk}, term
    assert listed(support, MESSAGES, q="'; DROP TABLE payments_storemessage") == set()


def test_tells_what_it_stood_for_and_what_it_changed(
    support: Client, device: Device, now: datetime
) -> None:
    product = StoreProductFactory()
    sold = sale(device.viewer_id, product.store_product_id, now)
    message = applied(now, transactions=(sold,), subscriptions=(month(device.viewer_id, now),))

    answer = support.get(f"{MESSAGES}{message.id}/change/")

    content = answer.content.decode()
    assert "StoreTransaction" in content
    assert "SubscriptionSnapshot" in content
    assert "4990000" in content
    purchase = Purchase.objects.get()
    assert f"/admin/payments/purchase/{purchase.id}/change/" in content
    assert "booked by this" in content
    assert {row["what"] for row in answer.context["changed"]} == {"Subscription", "Purchase"}


def test_a_page_asks_as_much_for_many_changes_as_for_one(
    support: Client, now: datetime, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        message = applied(
            now,
            subscriptions=tuple(
                month(DeviceFactory().viewer_id, now, name=f"sub-{uuid4()}") for _ in range(3)
            ),
        )
    with django_assert_max_num_queries(LIST_QUERIES) as captured:
        support.get(MESSAGES)
    own = [q["sql"] for q in captured if 'FROM "payments_storemessage"' in q["sql"]]
    assert len(own) == 1
    assert '"body"' not in own[0]
    assert "COUNT(" not in own[0]
    with django_assert_max_num_queries(PAGE_QUERIES):
        support.get(f"{MESSAGES}{message.id}/change/")


def test_a_replay_is_confirmed_logged_and_applied(
    support: Client, device: Device, now: datetime
) -> None:
    broken, other = parked(now), parked(now)
    waiting = received(now, transactions=(sale(device.viewer_id, "x", now),))

    asked = chosen(support, MESSAGES, "replay", broken, waiting)

    assert asked.status_code == 200
    assert str(broken.id) in asked.content.decode()
    broken.refresh_from_db()
    assert broken.state == "parked"

    done = support.post(
        MESSAGES,
        {"action": "replay", "confirm": "1", "_selected_action": [broken.pk, waiting.pk]},
        headers=clock_headers(now),
    )

    assert done.status_code == 302
    broken.refresh_from_db()
    other.refresh_from_db()
    assert (broken.state, broken.next_attempt_at, broken.attempts) == ("waiting", now, 0)
    assert other.state == "parked"
    logged = LogEntry.objects.filter(object_id=str(broken.id))
    assert "Replayed" in logged.get().get_change_message()
    StoreProductFactory(store_product_id="unheard")
    settling.settle(broken.id, now=now)
    broken.refresh_from_db()
    assert broken.state == "applied"


def test_what_was_looked_at_is_seen_with_a_note_and_rings_no_more(
    support: Client, now: datetime
) -> None:
    broken, unknown, other = parked(now), received(now, type_="news"), received(now, type_="news")

    asked = chosen(support, MESSAGES, "see", broken, unknown)
    assert asked.status_code == 200
    assert str(unknown.id) in asked.content.decode()
    assert chosen(support, MESSAGES, "see", unknown, confirm="1").status_code == 200  # no note
    unknown.refresh_from_db()
    assert unknown.state == "unknown"

    done = chosen(support, MESSAGES, "see", broken, unknown, confirm="1", note="Payouts, not ours")

    assert done.status_code == 302
    states = dict(StoreMessage.objects.values_list("id", "state"))
    assert states == {broken.id: "seen", unknown.id: "seen", other.id: "unknown"}
    logged = LogEntry.objects.get(object_id=str(unknown.id))
    assert "Seen. Payouts, not ours" in logged.get_change_message()
    assert [one.code for one in alarms.ringing(now=now)] == ["messages_unknown"]
    assert listed(support, MESSAGES, state__exact="seen") == {broken.pk, unknown.pk}


def test_what_was_seen_is_applied_when_it_is_replayed(support: Client, now: datetime) -> None:
    broken = parked(now)
    chosen(support, MESSAGES, "see", broken, confirm="1", note="No such product yet")
    StoreProductFactory(store_product_id="unheard")

    settling.replay([broken.id], now=now)
    settling.settle(broken.id, now=now)

    broken.refresh_from_db()
    assert broken.state == "applied"


def test_only_roles_that_mend_replay(db: None, now: datetime) -> None:
    broken = parked(now)
    looker = operator("lena")
    looker.user_permissions.add(_permission("view_storemessage"))
    client = signed_in(looker)
    assert client.get(f"{MESSAGES}{broken.id}/change/").status_code == 200
    chosen(client, MESSAGES, "replay", broken, confirm="1")
    chosen(client, MESSAGES, "see", broken, confirm="1", note="Not mine to say")
    broken.refresh_from_db()
    assert broken.state == "parked"
    content = signed_in(operator("otto", role="content"))
    assert content.get(MESSAGES).status_code == 403


def test_nobody_writes_what_a_store_said(db: None, now: datetime) -> None:
    message, told = parked(now), call(now)
    history = StoreHistory.objects.create(
        provider="fake", environment="production", read_until=now, read_at=now
    )
    root = signed_in(operator("root", is_superuser=True))
    for url in (
        f"{MESSAGES}{message.pk}/",
        f"{CALLS}{told.pk}/",
        f"/admin/payments/storehistory/{history.pk}/",
    ):
        page = root.get(f"{url}change/")
        assert page.status_code == 200
        inputs = re.findall(r"<(?:input|select|textarea)[^>]*>", page.content.decode())
        assert [tag for tag in inputs if 'type="hidden"' not in tag and "search" not in tag] == []
        for what in ("change", "delete"):
            assert root.post(f"{url}{what}/", {"post": "yes"}).status_code == 403


def test_a_store_that_refused_is_told_again(support: Client, now: datetime) -> None:
    failed, done = call(now), call(now, state="done")
    assert listed(support, CALLS, state__exact="failed") == {failed.pk}
    assert listed(support, CALLS, q=failed.subject) == {failed.pk}
    assert "The store answered 400." in support.get(f"{CALLS}{failed.pk}/change/").content.decode()

    assert "Tell the store again?" in chosen(support, CALLS, "tell_again", failed).content.decode()
    chosen(support, CALLS, "tell_again", failed, done, confirm="1")

    failed.refresh_from_db()
    done.refresh_from_db()
    assert (failed.state, failed.attempts, done.state) == ("waiting", 1, "done")
    assert "Told again" in LogEntry.objects.filter(object_id=str(failed.pk)).get().change_message


def test_histories_are_listed(support: Client, now: datetime) -> None:
    StoreHistory.objects.create(
        provider="apple",
        environment="production",
        read_until=now,
        read_at=now + timedelta(minutes=1),
        found_count=7,
    )
    content = support.get("/admin/payments/storehistory/").content.decode()
    assert "Apple" in content
    assert "7" in content


class TestReading:
    """Bodies as a person reads them."""

    def test_opens_signed_texts_inside_signed_texts(self) -> None:
        def signed(payload: dict[str, Any]) -> str:
            parts = [{"alg": "ES256", "x5c": ["AAAA"]}, payload]
            text = [
                base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
                for part in parts
            ]
            return ".".join([*text, "c2ln"])

        inner = signed({"transactionId": "2000"})
        body = {"signedPayload": signed({"data": {"signedTransactionInfo": inner}})}
        assert json.loads(reading.body(json.dumps(body).encode())) == {
            "signedPayload": {"data": {"signedTransactionInfo": {"transactionId": "2000"}}}
        }

    def test_opens_pub_subs_data(self) -> None:
        data = base64.b64encode(json.dumps({"packageName": "app"}).encode()).decode()
        body = json.dumps({"message": {"data": data, "messageId": "1"}}).encode()
        assert json.loads(reading.body(body))["message"]["data"] == {"packageName": "app"}

    def test_leaves_secrets_out(self) -> None:
        secret = "pi_3abc_secret_def"
        body = {"data": {"object": {"client_secret": secret, "note": f"see {secret}"}}}
        shown = reading.body(json.dumps(body).encode())
        assert secret not in shown
        assert shown.count("[left out]") == 2
        headers = reading.headers(
            {
                "authorization": "Bearer eyJhbGciOi.secret.sig",
                "stripe-signature": "t=1700000000,v1=abcdef,v0=123",
                "content-type": "application/json",
            }
        )
        assert headers == {
            "authorization": "Bearer [left out]",
            "stripe-signature": "t=1700000000,v1=[left out],v0=[left out]",
            "content-type": "application/json",
        }

    @pytest.mark.parametrize(
        "raw",
        [b"", b"\xff\xfe", b"{", b"null", b"[" * 5000, b"eyJ.eyJ.", b'{"data": "%%%"}', b"\x00"],
    )
    def test_shows_anything_without_failing(self, raw: bytes) -> None:
        assert isinstance(reading.body(raw), str)

    def test_a_huge_body_is_cut(self) -> None:
        assert len(reading.body(b"a" * 1_000_000)) < 101_000


def _permission(codename: str) -> Any:
    from django.contrib.auth.models import Permission

    return Permission.objects.get(codename=codename)
