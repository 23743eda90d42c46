from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analytics", "0008_exports_and_chores")]

    operations = [
        migrations.CreateModel(
            name="ErasedViewer",
            fields=[
                ("viewer_id", models.UUIDField(primary_key=True, serialize=False)),
                (
                    "file_count",
                    models.IntegerField(help_text="Files of the lake that were written anew"),
                ),
                (
                    "erased_at",
                    models.DateTimeField(help_text="The files that were replaced go an hour later"),
                ),
            ],
        ),
    ]
