"""Stores' notifications: how long a store waits for its answer while Postgres has much else to do."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from tests.benchmarks import load
from tests.payments.providers.apple import pieces

#: A busy evening of a large app: what is sold, renewed and refunded.
PER_SECOND = 100


def environment(folder: Path) -> Mapping[str, str]:
    """Settings under which the server believes an App Store with a root of ours."""
    root = folder / "store_root.der"
    root.write_bytes(pieces.STORE.root)
    own = pieces.settings()
    return {
        "APPLE_APPS": f"{pieces.BUNDLE}:{pieces.APP}",
        "APPLE_ISSUER_ID": own.issuer_id,
        "APPLE_KEY_ID": own.key_id,
        "APPLE_PRIVATE_KEY": own.private_key,
        "APPLE_ROOT_CERTIFICATE": str(root),
    }


def acknowledgements(*, port: int, seconds: float, busy: Callable[[], object]) -> load.Latencies:
    """Apple's notifications, each signed over its chain and of another purchase, that come at a fixed rate while
    `busy` goes on."""
    from payments.models import StoreMessage

    requests = _requests(round(seconds * PER_SECOND))
    with ThreadPoolExecutor(1) as beside:
        work = beside.submit(busy)
        taken = load.at_rate(port=port, requests=requests, per_second=PER_SECOND, status=204)
        work.result()
    if StoreMessage.objects.filter(provider="apple").count() != len(requests):
        raise AssertionError("a notification was answered and is not there")
    return taken


def _requests(count: int) -> Sequence[bytes]:
    return [_request(number) for number in range(count)]


def _request(number: int) -> bytes:
    bought = pieces.transaction(transactionId=str(3 * 10**15 + number))
    body = pieces.notification("ONE_TIME_CHARGE", of=bought, notificationUUID=str(uuid4())).body
    head = (
        "POST /v1/webhooks/apple HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
