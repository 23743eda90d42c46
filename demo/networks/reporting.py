"""What networks report of days that are over, asked for over HTTP.

PUT    /_reports                                     Books: what there is to report from now on
POST   /admob/token                                  a refresh token for an access token
POST   /admob/v1/accounts/PUB/networkReport:generate AdMob's network report, one JSON list
GET    /applovin/max/userAdRevenueReport             where MAX's file of a day and an app is
GET    /applovin/files/DAY/APP.csv                   that file: a line for each impression
"""

import re
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from demo.stores.messages import Answer, Rejected, Request
from demo.stores.peer import Route

_MICROS = 1_000_000


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an ad unit earned in a country on a day, in micros of a dollar; all of a line is one app's."""

    network: str
    day: str
    ad_unit: str
    country: str
    impressions: int
    revenue_micros: int
    app: str = ""


class Books(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lines: Sequence[Line] = ()


class _Date(msgspec.Struct, frozen=True):
    year: int
    month: int
    day: int

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}-{self.day:02d}"


class _Range(msgspec.Struct, frozen=True, rename="camel"):
    start_date: _Date
    end_date: _Date


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    date_range: _Range
    dimensions: Sequence[str]
    metrics: Sequence[str]


class _Generate(msgspec.Struct, frozen=True, rename="camel"):
    report_spec: _Spec


class Reporting:
    """The reporting side of AdMob and AppLovin MAX, with credentials of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._books = Books()
        self._client = f"client-{secrets.token_hex(4)}:{secrets.token_urlsafe(16)}"
        self._refresh_token = f"1//{secrets.token_urlsafe(24)}"
        self._access_token = f"ya29.{secrets.token_urlsafe(24)}"
        self._report_key = secrets.token_urlsafe(32)

    def settings(self) -> Mapping[str, str]:
        """What our side has to be set to, by the names of settings."""
        return {
            "ADMOB_OAUTH_CLIENT": self._client,
            "ADMOB_REFRESH_TOKEN": self._refresh_token,
            "APPLOVIN_REPORT_KEY": self._report_key,
        }

    def routes(self) -> Iterator[Route]:
        yield Route("PUT", "/_reports", self._set)
        yield Route("POST", "/admob/token", self._grant)
        yield Route("POST", "/admob/v1/accounts/[a-z0-9-]+/networkReport:generate", self._admob)
        yield Route("GET", "/applovin/max/userAdRevenueReport", self._point)
        yield Route("GET", r"/applovin/files/([0-9-]+)/([\w.:-]+)\.csv", self._file)

    def _set(self, request: Request, match: "re.Match[str]") -> Answer:
        books = request.read(Books)
        with self._lock:
            self._books = books
        return Answer(status=204)

    def _lines(self, network: str) -> Sequence[Line]:
        with self._lock:
            return [line for line in self._books.lines if line.network == network]

    def _grant(self, request: Request, match: "re.Match[str]") -> Answer:
        form = Request("", f"?{request.body.decode()}", {}, b"")
        client_id, _, client_secret = self._client.partition(":")
        given = [form.argument(name) for name in ("refresh_token", "client_id", "client_secret")]
        if given != [self._refresh_token, client_id, client_secret]:
            return Answer.of({"error": "invalid_grant"}, status=400)
        return Answer.of({"access_token": self._access_token, "expires_in": 3599})

    def _admob(self, request: Request, match: "re.Match[str]") -> Answer:
        if request.headers.get("authorization") != f"Bearer {self._access_token}":
            return Answer.of({"error": {"status": "UNAUTHENTICATED"}}, status=401)
        spec = request.read(_Generate).report_spec
        if list(spec.dimensions) != ["DATE", "AD_UNIT", "COUNTRY"]:
            return Answer.of({"error": {"status": "INVALID_ARGUMENT"}}, status=400)
        first, last = str(spec.date_range.start_date), str(spec.date_range.end_date)
        found = [line for line in self._lines("admob") if first <= line.day <= last]
        header = {"header": {"localizationSettings": {"currencyCode": "USD"}}}
        footer = {"footer": {"matchingRowCount": str(len(found))}}
        return Answer.of([header, *map(_row, found), footer])

    def _point(self, request: Request, match: "re.Match[str]") -> Answer:
        if request.argument("api_key") != self._report_key:
            raise Rejected(Answer.of({"error": "invalid key"}, status=401))
        app = f"{request.argument('platform')}:{request.argument('application')}"
        host = request.headers.get("host", "")
        address = f"http://{host}/applovin/files/{request.argument('date')}/{app}.csv"
        return Answer.of({"status": 200, "ad_revenue_report_url": address})

    def _file(self, request: Request, match: "re.Match[str]") -> Answer:
        rows = ["Date,Ad Unit ID,Ad Format,Country,User ID,Revenue"]
        for line in self._lines("applovin"):
            if (line.day, line.app) == (match[1], match[2]):
                rows += _impressions(line)
        return Answer(200, "\n".join(rows).encode(), "text/csv")


def _row(line: Line) -> Mapping[str, Any]:
    dimensions = {
        "DATE": {"value": line.day.replace("-", "")},
        "AD_UNIT": {"value": line.ad_unit},
        "COUNTRY": {"value": line.country},
    }
    metrics = {
        "ESTIMATED_EARNINGS": {"microsValue": str(line.revenue_micros)},
        "IMPRESSIONS": {"integerValue": str(line.impressions)},
    }
    return {"row": {"dimensionValues": dimensions, "metricValues": metrics}}


def _impressions(line: Line) -> Sequence[str]:
    """A line for each impression, which add up to the whole."""
    each, rest = divmod(line.revenue_micros, line.impressions)
    return [
        f"{line.day} 10:00:00.0,{line.ad_unit},REWARD,{line.country},,"
        f"{(each + (number < rest)) / _MICROS:.8f}"
        for number in range(line.impressions)
    ]
