"""What analysts read: parse, one domain call, render as JSON or as a file."""

from datetime import datetime

from django.http import HttpResponse
from rest_framework.request import Request

from analytics.reports import library, questions, tables
from analytics.reports.ads import AdReport
from analytics.reports.arpu import ArpuReport
from analytics.reports.beats import BeatReport
from analytics.reports.charts import ChartReport
from analytics.reports.encounters import EncounterReport
from analytics.reports.episodes import EpisodeReport
from analytics.reports.funnels import FunnelReport
from analytics.reports.heat import HeatReport
from analytics.reports.ltv import LtvReport
from analytics.reports.money import MoneyReport
from analytics.reports.offer_choice import OfferChoiceReport
from analytics.reports.quality import QualityReport
from analytics.reports.questions import ReportQuery
from analytics.reports.refusals import ReportImpossible
from analytics.reports.report import Report
from analytics.reports.repurchase import RepurchaseReport
from analytics.reports.retention import RetentionReport
from analytics.reports.revenue import RevenueReport
from analytics.reports.rhythm import RhythmReport
from analytics.reports.steps import StepReport
from config import table_files
from config.csv_files import Table
from config.endpoints import operation
from config.problems import NotFound
from config.table_files import FILE_TYPES, TableFormat
from viewers.authentication import AnalystEndpoint


class RetentionEndpoint(AnalystEndpoint):
    @operation(
        summary="Who came back",
        query=questions.RetentionQuery,
        answer=RetentionReport,
        refusals=(ReportImpossible,),
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.RetentionQuery
    ) -> Report | HttpResponse:
        """Cohorts of viewers by their first open, and how many were active at each offset.

        A cell is null until every member of the cohort has had the whole window, never 0.
        """
        return _rendered("retention", query, now)


class LtvEndpoint(AnalystEndpoint):
    @operation(
        summary="What cohorts brought",
        query=questions.LtvQuery,
        answer=LtvReport,
        refusals=(ReportImpossible,),
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.LtvQuery
    ) -> Report | HttpResponse:
        """Net billings and ad revenue of cohorts of viewers at fixed horizons after their first open.

        A horizon is null until every member of the cohort has had the whole of it.
        """
        return _rendered("ltv", query, now)


class ArpuEndpoint(AnalystEndpoint):
    @operation(
        summary="Revenue per active viewer",
        query=questions.ArpuQuery,
        answer=ArpuReport,
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.ArpuQuery
    ) -> Report | HttpResponse:
        """Active viewers, payers, net billings and ad revenue by local day, ISO week or month."""
        return _rendered("arpu", query, now)


class RepurchaseEndpoint(AnalystEndpoint):
    @operation(
        summary="Who buys again",
        query=questions.RepurchaseQuery,
        answer=RepurchaseReport,
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.RepurchaseQuery
    ) -> Report | HttpResponse:
        """Payers by the period of their first purchase: who bought again within 30 days, and in which periods.

        A figure is null until everybody has had the whole of its window, never 0.
        """
        return _rendered("repurchase", query, now)


class RhythmEndpoint(AnalystEndpoint):
    @operation(
        summary="How often payers buy",
        query=questions.RhythmQuery,
        answer=RhythmReport,
        refusals=(ReportImpossible,),
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.RhythmQuery
    ) -> Report | HttpResponse:
        """How many payers have each frequency, recency and age, from which models of their value are fitted."""
        return _rendered("rhythm", query, now)


class StepsEndpoint(AnalystEndpoint):
    @operation(
        summary="An ordered funnel",
        query=questions.StepsQuery,
        answer=StepReport,
        refusals=(ReportImpossible,),
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.StepsQuery
    ) -> Report | HttpResponse:
        """How many come from each step to the next, each within its window."""
        return _rendered("steps", query, now)


class PaywallFunnelEndpoint(AnalystEndpoint):
    @operation(
        summary="How far starters come",
        query=questions.FunnelQuery,
        answer=FunnelReport,
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.FunnelQuery
    ) -> Report | HttpResponse:
        """From the start of a series to its paywall, past it, and into what was unlocked."""
        return _rendered("funnel", query, now, file="paywall-funnel")


class EncountersEndpoint(AnalystEndpoint):
    @operation(
        summary="What becomes of encounters with paywalls",
        query=questions.FunnelQuery,
        answer=EncounterReport,
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.FunnelQuery
    ) -> Report | HttpResponse:
        """Conversion and abandonment at the first paywall that a viewer meets in a series, the second, ..."""
        return _rendered("encounters", query, now)


class SurvivalEndpoint(AnalystEndpoint):
    @operation(
        summary="From episode to episode",
        query=questions.SurvivalQuery,
        answer=EpisodeReport,
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.SurvivalQuery
    ) -> Report | HttpResponse:
        """Who goes on to the next episode, who drops out, and how many of those stood at its paywall."""
        return _rendered("survival", query, now)


class BeatsEndpoint(AnalystEndpoint):
    @operation(
        summary="Where viewers leave",
        query=questions.BeatsQuery,
        answer=BeatReport,
        refusals=(NotFound,),
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.BeatsQuery
    ) -> Report | HttpResponse:
        """How each beat is left in the first pass, who is still there, and the unlocks booked on it."""
        return _rendered("beats", query, now)


class HeatEndpoint(AnalystEndpoint):
    @operation(
        summary="Which seconds are watched",
        query=questions.HeatQuery,
        answer=HeatReport,
        refusals=(NotFound,),
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.HeatQuery
    ) -> Report | HttpResponse:
        """How much of each stretch of a version is played, by how many, and how often again."""
        return _rendered("heat", query, now)


class TitleRevenueEndpoint(AnalystEndpoint):
    @operation(
        summary="What titles earned",
        query=questions.RevenueQuery,
        answer=RevenueReport,
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.RevenueQuery
    ) -> Report | HttpResponse:
        """From the ledger, by local day, title and locale; titles and unattributed are all of it."""
        return _rendered("revenue", query, now, file="title-revenue")


class MoneyEndpoint(AnalystEndpoint):
    @operation(
        summary="Billed, recognised and deferred",
        query=questions.MoneyQuery,
        answer=MoneyReport,
        refusals=(ReportImpossible,),
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.MoneyQuery
    ) -> Report | HttpResponse:
        """From the ledger, by local day and by what brought the money."""
        return _rendered("money", query, now)


class OfferChoiceEndpoint(AnalystEndpoint):
    @operation(
        summary="What policies of offers bring",
        query=questions.OfferChoiceQuery,
        answer=OfferChoiceReport,
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.OfferChoiceQuery
    ) -> Report | HttpResponse:
        """Encounters, unlocks and revenue by rule and arm, and what showing the ad takes and brings."""
        return _rendered("offer_choice", query, now, file="offer-choice")


class AdsEndpoint(AnalystEndpoint):
    @operation(
        summary="What ads earned",
        query=questions.AdsQuery,
        answer=AdReport,
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.AdsQuery
    ) -> Report | HttpResponse:
        """Ads asked for, shown and confirmed, and their revenue, by local day, network and placement."""
        return _rendered("ads", query, now)


class ChartsEndpoint(AnalystEndpoint):
    @operation(
        summary="The best titles",
        query=questions.ChartQuery,
        answer=ChartReport,
        refusals=(ReportImpossible,),
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.ChartQuery
    ) -> Report | HttpResponse:
        """Titles by starts, viewers, time watched or revenue, and how much of the chart AI had a part in."""
        return _rendered("charts", query, now)


class QualityEndpoint(AnalystEndpoint):
    @operation(
        summary="How playback went",
        query=questions.QualityQuery,
        answer=QualityReport,
        also_as=FILE_TYPES,
    )
    def get(
        self, request: Request, *, now: datetime, query: questions.QualityQuery
    ) -> Report | HttpResponse:
        """Time to the first frame, rebuffering and failed starts by local day."""
        return _rendered("quality", query, now)


def _rendered(
    name: str, query: ReportQuery, now: datetime, *, file: str = ""
) -> Report | HttpResponse:
    """The report, or a file of it under its own name or another."""
    report = library.read(name, query, now=now)
    if query.format is TableFormat.JSON:
        return report
    return as_file(tables.of(report), query.format, name=file or name)


def as_file(table: Table, kind: TableFormat, *, name: str) -> HttpResponse:
    """A table to be kept under that name."""
    return HttpResponse(
        table_files.write(table, kind),
        content_type=table_files.CONTENT_TYPES[kind],
        headers={"Content-Disposition": f'attachment; filename="{name}.{kind}"'},
    )
