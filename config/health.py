"""Health checks: `livez` asks the process alone, `readyz` whether it can serve."""

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse


def livez(request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all."""
    return JsonResponse({"status": "alive"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers and every migration this code knows is applied, else 503.

    Redis is not asked: without it the service degrades but still sells and plays.
    """
    try:
        executor = MigrationExecutor(connection)
        missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except Error:
        return JsonResponse({"status": "the database does not answer"}, status=503)
    if missing:
        return JsonResponse({"status": f"{missing} migrations are not applied"}, status=503)
    return JsonResponse({"status": "ready"})
