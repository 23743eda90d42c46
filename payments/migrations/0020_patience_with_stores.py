"""When stores are tried again, and what is counted until then."""

from django.db import migrations, models

from config.schema_operations import Together


class Migration(migrations.Migration):
    dependencies = [("payments", "0019_reconciliation")]

    operations = [
        Together(
            [
                migrations.AddField(
                    model_name="storecall",
                    name="failures",
                    field=models.PositiveIntegerField(
                        db_default=0,
                        default=0,
                        help_text="Attempts in a row that failed for a cause unforeseen",
                    ),
                ),
                migrations.AddField(
                    model_name="storehistory",
                    name="failures",
                    field=models.PositiveIntegerField(
                        db_default=0,
                        default=0,
                        help_text="Attempts in a row that did not come to the end",
                    ),
                ),
                migrations.AddField(
                    model_name="storehistory",
                    name="next_attempt_at",
                    field=models.DateTimeField(null=True),
                ),
                migrations.AddField(
                    model_name="storehistory",
                    name="resume_at",
                    field=models.DateTimeField(null=True),
                ),
                migrations.AddField(
                    model_name="storehistory",
                    name="tried_at",
                    field=models.DateTimeField(null=True),
                ),
                migrations.AddField(
                    model_name="storemessage",
                    name="failures",
                    field=models.PositiveIntegerField(
                        db_default=0,
                        default=0,
                        help_text="Attempts in a row that failed for a cause unforeseen",
                    ),
                ),
                migrations.AddField(
                    model_name="subscriptioninquiry",
                    name="access_until",
                    field=models.DateTimeField(null=True),
                ),
                migrations.AddField(
                    model_name="subscriptioninquiry",
                    name="next_at",
                    field=models.DateTimeField(
                        help_text="Empty when it is asked about no more", null=True
                    ),
                ),
                migrations.AddField(
                    model_name="subscriptioninquiry",
                    name="since",
                    field=models.DateTimeField(null=True),
                ),
                migrations.AddField(
                    model_name="subscriptioninquiry",
                    name="state",
                    field=models.CharField(
                        choices=[
                            ("pending", "Waits for its first payment"),
                            ("active", "Runs and renews"),
                            ("cancelled", "Runs to its end"),
                            ("grace", "Open while the store tries to be paid"),
                            ("billing_retry", "Closed while the store tries to be paid"),
                            ("on_hold", "Closed until it is paid"),
                            ("paused", "Paused by the viewer"),
                            ("expired", "Over"),
                            ("revoked", "Taken back by the store"),
                        ],
                        db_default="",
                        max_length=20,
                    ),
                ),
                migrations.AlterField(
                    model_name="storehistory",
                    name="read_at",
                    field=models.DateTimeField(
                        help_text="Empty until all of it was read once", null=True
                    ),
                ),
                migrations.AlterField(
                    model_name="storemessage",
                    name="state",
                    field=models.CharField(
                        choices=[
                            ("waiting", "Not applied yet"),
                            ("applied", "Applied"),
                            ("unknown", "Of an unknown type"),
                            ("parked", "Could not be applied"),
                            ("ended", "Never paid"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
            ]
        ),
    ]
