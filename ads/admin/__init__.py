"""What operators see and change of ads and of tasks. Each module registers its own pages."""

from ads.admin import (
    callbacks,
    goals,
    impressions,
    parked,
    placements,
    referrals,
    revenue,
    revenue_reports,
    sessions,
    tasks,
)

__all__ = [
    "callbacks",
    "goals",
    "impressions",
    "parked",
    "placements",
    "referrals",
    "revenue",
    "revenue_reports",
    "sessions",
    "tasks",
]
