"""What operators see of events and of the figures made of them. Each module registers its own pages."""

from analytics.admin import alarms, events, rollups

__all__ = ["alarms", "events", "rollups"]
