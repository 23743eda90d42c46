"""What priced anything is never changed.

Unlocks at an adjusted price come with 0012, which adds what else their functions write: until then
those of before go on.
"""

from django.conf import settings
from django.db import migrations
from psycopg import sql

from config.schema_operations import RunStatements

ADD_ONLY = (
    "pricestep",
    "priceadjustment",
    "pricevariant",
    "planassignment",
    "promotion",
    "promotedseries",
    "acquisitionlink",
    "linkarrival",
)
# What ends it is all that is ever written to it.
ENDED_BY = {
    "priceversion": "cancelled_at",
    "planassignment": "cancelled_at",
    "promotion": "stopped_at",
    "acquisitionlink": "stopped_at",
}


def narrow_grants(schema_editor):
    if not settings.DATABASE_ROLE:
        return
    role = sql.Identifier(settings.DATABASE_ROLE)
    with schema_editor.connection.cursor() as cursor:
        for name in ADD_ONLY:
            cursor.execute(
                sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {role}").format(
                    table=sql.Identifier(f"payments_{name}"), role=role
                )
            )
        for name, column in ENDED_BY.items():
            cursor.execute(
                sql.SQL("GRANT UPDATE ({column}) ON {table} TO {role}").format(
                    column=sql.Identifier(column),
                    table=sql.Identifier(f"payments_{name}"),
                    role=role,
                )
            )


class Migration(migrations.Migration):
    dependencies = [("payments", "0007_prices_that_differ")]

    operations = [
        RunStatements(narrow_grants),
    ]
