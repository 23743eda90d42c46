"""`python -m tests.crash.lake_facts VIEWER…`: how often reports would count each event of theirs, as JSON.

Run as a process of the instance, so that the test's own settings and lake stay apart.
"""

import os
import sys

import msgspec


def main(viewer_ids: list[str]) -> None:
    import django

    django.setup()
    from analytics.lake import reading

    with reading.connection() as connection:
        rows = connection.execute(
            "SELECT event_id, count(*) FROM events WHERE list_contains($1, viewer_id) GROUP BY 1",
            [viewer_ids],
        ).fetchall()
    sys.stdout.buffer.write(msgspec.json.encode(dict(rows)))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main(sys.argv[1:])
