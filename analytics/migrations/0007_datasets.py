from django.db import migrations, models

from config.schema_operations import Together


class Migration(migrations.Migration):
    dependencies = [("analytics", "0006_fraud")]

    operations = [
        Together(
            [
                migrations.AddField(
                    model_name="lakefile",
                    name="columns_version",
                    field=models.PositiveSmallIntegerField(
                        db_default=1,
                        default=1,
                        help_text="What was added to the columns later is null in it",
                    ),
                ),
                migrations.AddField(
                    model_name="lakefile",
                    name="dataset",
                    field=models.CharField(
                        db_default="events",
                        default="events",
                        help_text="What its rows are",
                        max_length=30,
                    ),
                ),
                migrations.AlterField(
                    model_name="lakefile",
                    name="day",
                    field=models.DateField(help_text="UTC day of the rows inside"),
                ),
            ]
        ),
    ]
