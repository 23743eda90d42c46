"""What stores are not to be told any more."""

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
    ]
