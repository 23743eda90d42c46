"""What operators see of events and of the figures made of them, and their exports. Each module registers its own pages."""

from analytics.admin import alarms, events, exports, history, rollups

__all__ = ["alarms", "events", "exports", "history", "rollups"]
