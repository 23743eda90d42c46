"""Each environment's history is read by itself, and messages that were not applied can be seen.

Until now one history stood for both environments of a store: the sandbox's goes on where that has got to.
"""

from django.db import migrations, models

from config.schema_operations import RunStatements, Together

_APART = """
    INSERT INTO payments_storehistory (provider, environment, read_until, read_at, found_count)
    SELECT provider, 'sandbox', read_until, read_at, 0 FROM payments_storehistory
    WHERE environment = 'production' AND provider IN ('apple', 'stripe')
    ON CONFLICT (provider, environment) DO NOTHING
"""


def begin_apart(schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(_APART)


class Migration(migrations.Migration):
    dependencies = [("payments", "0032_imported_purchases")]

    operations = [
        Together(
            [
                migrations.AlterField(
                    model_name="storemessage",
                    name="state",
                    field=models.CharField(
                        choices=[
                            ("waiting", "Not applied yet"),
                            ("applied", "Applied"),
                            ("unknown", "Of an unknown type"),
                            ("parked", "Could not be applied"),
                            ("seen", "Not applied, and somebody has looked"),
                            ("ended", "Never paid"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                RunStatements(begin_apart),
            ]
        ),
    ]
