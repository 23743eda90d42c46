"""What an ad on a phone sets going: the app tells what it earned, and the network's server calls back.

Most callbacks come at once. A few come days later, when nobody waits any more, and a few name no session, as those
of an old build do: what pays nothing is parked, and an operator looks at it. What the network reports of a day in
the end is less than phones were told.
"""

import csv
import io
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec

from demo.answers import AdSession
from demo.client import FakeAdNetwork
from demo.simulation.dice import happens
from demo.simulation.phones import Phone, SeenAd

LATE, LATE_BY = 0.03, timedelta(days=2)
#: What an old build gives its SDK instead of a session.
NO_SESSION, OF_OLD_BUILDS = "rewarded-v1", 0.02
TYPICAL_MICROS, SPREAD = 12_000, 0.5
#: Of what phones are told, so much is in the report.
REPORTED = Decimal("0.94")
_MICROS = Decimal(1_000_000)


def watch(phone: Phone, session: AdSession, *, placement: str) -> None:
    """Watches the ad of a session to its end."""
    network, roll = FakeAdNetwork(phone.transport), phone.dice("ad", phone.counts.ads_watched)
    phone.counts.ads_watched += 1
    ad = SeenAd(
        # An ad may be shown again in the same session, and is another impression then.
        impression_id=f"ad-{roll.getrandbits(64):016x}",
        session=session,
        placement=placement,
        at=phone.clock.moment,
        country=phone.person.country,
        revenue_micros=round(TYPICAL_MICROS * roll.lognormvariate(0, SPREAD)),
    )
    phone.app.tell_impressions([ad.impression()])
    phone.ads.append(ad)
    if happens(roll, OF_OLD_BUILDS):
        network.watch(msgspec.structs.replace(session, custom_data=NO_SESSION))
        phone.counts.orphaned_callbacks += 1
        return
    callback = network.show(session)
    if happens(roll, LATE):
        phone.callbacks.append(callback)
    else:
        network.call_back(callback)


@dataclass(frozen=True)
class _Owed:
    """A callback that the network's server has yet to send."""

    due: datetime
    callback: str


class NetworkBooks:
    """What the network knows of everybody's ads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owed: list[_Owed] = []
        self._impressions: Counter[tuple[date, str, str]] = Counter()
        self._micros: Counter[tuple[date, str, str]] = Counter()

    def add(self, phone: Phone) -> None:
        """The ads of a visit; from any thread."""
        due = phone.clock.moment + LATE_BY
        with self._lock:
            self._owed += [_Owed(due, callback) for callback in phone.callbacks]
            for ad in phone.ads:
                cell = (ad.at.astimezone(UTC).date(), ad.session.ad_unit_id, ad.country)
                self._impressions[cell] += 1
                self._micros[cell] += ad.revenue_micros

    def due(self, moment: datetime) -> Sequence[str]:
        """The callbacks that are sent now, each of which is given once."""
        with self._lock:
            due = [one.callback for one in self._owed if one.due <= moment]
            self._owed = [one for one in self._owed if one.due > moment]
        return due

    def report(self, *, before: date) -> bytes:
        """What the network's console gives as a file of all days before one, or nothing."""
        cells = sorted(cell for cell in self._impressions if cell[0] < before)
        if not cells:
            return b""
        file = io.StringIO()
        lines = csv.writer(file)
        lines.writerow(["day", "ad_unit_id", "country", "impressions", "revenue"])
        for cell in cells:
            revenue = self._micros[cell] * REPORTED / _MICROS
            lines.writerow([*cell, self._impressions[cell], f"{revenue:.6f}"])
        return file.getvalue().encode()
