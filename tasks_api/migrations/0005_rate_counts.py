# ruff: noqa: RUF012 -- as Django writes migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tasks_api", "0004_chore_turns"),
    ]

    operations = [
        migrations.CreateModel(
            name="RateCount",
            fields=[
                (
                    "client_number",
                    models.PositiveBigIntegerField(primary_key=True, serialize=False),
                ),
                ("rate", models.CharField(max_length=16)),
                ("spent", models.PositiveBigIntegerField()),
                ("window_ends_at", models.PositiveBigIntegerField(db_index=True)),
            ],
            options={
                "db_table": "tasks_api_rate_count",
            },
        ),
    ]
