"""What operators see and change of ads. Each module registers its own pages."""

from ads.admin import (
    callbacks,
    goals,
    impressions,
    parked,
    placements,
    revenue,
    revenue_reports,
    sessions,
)

__all__ = [
    "callbacks",
    "goals",
    "impressions",
    "parked",
    "placements",
    "revenue",
    "revenue_reports",
    "sessions",
]
