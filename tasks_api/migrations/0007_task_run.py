# ruff: noqa: RUF012 -- as Django writes migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tasks_api", "0006_client_is_enabled"),
    ]

    operations = [
        migrations.CreateModel(
            name="TaskRun",
            fields=[
                ("task_id", models.UUIDField(primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField(null=True)),
                ("errors", models.JSONField(default=list)),
                ("cancel_requested_at", models.DateTimeField(null=True)),
            ],
        ),
    ]
