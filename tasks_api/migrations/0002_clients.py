# ruff: noqa: RUF012 -- as Django writes migrations
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import tasks_api.models


class Migration(migrations.Migration):
    dependencies = [
        ("tasks_api", "0001_worker"),
    ]

    operations = [
        migrations.CreateModel(
            name="Client",
            fields=[
                (
                    "number",
                    models.PositiveBigIntegerField(
                        default=tasks_api.models.random_client_number,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        max_length=64,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Za-z0-9][A-Za-z0-9._-]*\\Z",
                                "A name has letters, digits, dots, hyphens and underscores.",
                            ),
                            tasks_api.models.validate_name,
                        ],
                    ),
                ),
                (
                    "scopes",
                    models.JSONField(
                        default=tasks_api.models.usual_scopes,
                        validators=[tasks_api.models.validate_scopes],
                    ),
                ),
                (
                    "task_patterns",
                    models.JSONField(
                        blank=True,
                        default=tasks_api.models.every_task,
                        help_text="Which of the exposed task types it may enqueue, such as shop.tasks.*.",
                        validators=[tasks_api.models.validate_patterns],
                    ),
                ),
                (
                    "rate",
                    models.CharField(
                        blank=True,
                        help_text="How many requests it may send, such as 100/min; empty for any number.",
                        max_length=16,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[1-9][0-9]{0,8}/(s|min|h|day)\\Z",
                                "A rate is a number of requests per s, min, h or day, such as 100/min.",
                            )
                        ],
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="ClientKey",
            fields=[
                (
                    "key_id",
                    models.CharField(
                        editable=False, max_length=12, primary_key=True, serialize=False
                    ),
                ),
                ("digest", models.CharField(editable=False, max_length=64)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(editable=False, null=True)),
                ("last_used_at", models.DateTimeField(editable=False, null=True)),
                (
                    "client",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="keys",
                        to="tasks_api.client",
                    ),
                ),
            ],
            options={
                "ordering": ("-created_at",),
            },
        ),
        migrations.CreateModel(
            name="IdempotencyRecord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("client_number", models.PositiveBigIntegerField()),
                ("key", models.CharField(max_length=255)),
                ("fingerprint", models.CharField(max_length=64)),
                ("tasks", models.JSONField(null=True)),
                ("created_at", models.DateTimeField(db_index=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("client_number", "key"), name="tasks_api_one_record_a_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="TaskOwner",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("backend", models.CharField(max_length=255)),
                ("task_id", models.CharField(max_length=255)),
                ("client_number", models.PositiveBigIntegerField()),
                ("created_at", models.DateTimeField(auto_now_add=True, db_index=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("backend", "task_id"), name="tasks_api_one_owner_a_task"
                    )
                ],
            },
        ),
    ]
