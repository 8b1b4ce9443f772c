# ruff: noqa: RUF012 -- as Django writes migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tasks_api", "0005_rate_counts"),
    ]

    operations = [
        migrations.AddField(
            model_name="client",
            name="is_enabled",
            field=models.BooleanField(
                default=True,
                help_text="Whether its requests are served; its tasks run all the same.",
                verbose_name="enabled",
            ),
        ),
    ]
