"""What operators see of events, and their exports. Each module registers its own pages."""

from analytics.admin import events, exports

__all__ = ["events", "exports"]
