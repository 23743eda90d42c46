"""What stores are not to be told any more, what was looked at again, and how often a report was tried."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0019_reconciliation")]

    operations = [
        migrations.AlterField(
            model_name="storecall",
            name="state",
            field=models.CharField(
                choices=[
                    ("waiting", "Not told yet"),
                    ("done", "Told"),
                    ("failed", "The store refuses to be told"),
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
    ]
