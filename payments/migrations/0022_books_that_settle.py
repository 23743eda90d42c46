"""What stores are not to be told any more, what was looked at again, how often a report was tried, and
fees that wait for a rate."""

from django.db import migrations, models

import config.ids

PROVIDERS = [
    ("apple", "Apple"),
    ("google", "Google Play"),
    ("stripe", "Stripe"),
    ("fake", "Fake store (demo and tests)"),
]
ENVIRONMENTS = [("production", "Production"), ("sandbox", "Sandbox")]


class Migration(migrations.Migration):
    dependencies = [("payments", "0021_index_of_what_apps_handed_in")]

    operations = [
        migrations.AlterField(
            model_name="storecall",
            name="state",
            field=models.CharField(
                choices=[
                    ("waiting", "Not told yet"),
                    ("done", "Told"),
                    ("failed", "The store refuses to be told"),
                    ("held", "Waits for a second person"),
                    ("withdrawn", "Not to be told any more"),
                ],
                default="waiting",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="difference",
            name="looked_at",
            field=models.DateTimeField(help_text="When it was asked about again last", null=True),
        ),
        migrations.AddField(
            model_name="storereport",
            name="attempts",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="How often something unforeseen has happened to it"
            ),
        ),
        migrations.CreateModel(
            name="WaitingFee",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=config.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("provider", models.CharField(choices=PROVIDERS, max_length=20)),
                ("environment", models.CharField(choices=ENVIRONMENTS, max_length=10)),
                ("line_id", models.CharField(max_length=512)),
                ("kind", models.CharField(max_length=10)),
                ("transaction_id", models.CharField(max_length=512)),
                (
                    "fee_micros",
                    models.BigIntegerField(help_text="As the store says, in its currency"),
                ),
                ("fee_currency", models.CharField(max_length=3)),
                ("settled_at", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("provider", "environment", "transaction_id", "kind", "line_id"),
                        name="payments_waitingfee_once",
                    )
                ],
            },
        ),
    ]
