"""What operators see of events. Each module registers its own pages."""

from analytics.admin import alarms, events

__all__ = ["alarms", "events"]
