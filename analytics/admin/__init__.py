"""What operators see of events. Each module registers its own pages."""

from analytics.admin import events

__all__ = ["events"]
