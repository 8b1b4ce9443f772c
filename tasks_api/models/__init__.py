"""The tables of the app; tasks are in the tables of their backends."""

from tasks_api.models.chore_turn import ChoreTurn, ChoreTurnQuerySet
from tasks_api.models.client import (
    PROJECT_NAME,
    Client,
    ClientQuerySet,
    every_task,
    random_client_number,
    validate_name,
    validate_patterns,
)
from tasks_api.models.client_key import ClientKey, ClientKeyQuerySet
from tasks_api.models.idempotency_record import IdempotencyRecord
from tasks_api.models.rate_count import RateCount, Spent
from tasks_api.models.scope import (
    Scope,
    register_scope,
    scope_choices,
    usual_scopes,
    validate_scopes,
)
from tasks_api.models.task_owner import TaskOwner
from tasks_api.models.task_run import TaskRun
from tasks_api.models.worker import Worker, WorkerQuerySet

__all__ = [
    "PROJECT_NAME",
    "ChoreTurn",
    "ChoreTurnQuerySet",
    "Client",
    "ClientKey",
    "ClientKeyQuerySet",
    "ClientQuerySet",
    "IdempotencyRecord",
    "RateCount",
    "Scope",
    "Spent",
    "TaskOwner",
    "TaskRun",
    "Worker",
    "WorkerQuerySet",
    "every_task",
    "random_client_number",
    "register_scope",
    "scope_choices",
    "usual_scopes",
    "validate_name",
    "validate_patterns",
    "validate_scopes",
]
