import logging
import os
import sys
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, BooleanOptionalAction
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections, router
from django.tasks import DEFAULT_TASK_BACKEND_ALIAS
from django.utils.autoreload import get_child_arguments
from django_tasks_db.management.commands.db_worker import (
    valid_backend_name,
    valid_interval,
    valid_max_tasks,
)
from django_tasks_db.models import DBTaskResult

from tasks_api.worker import journal, messages
from tasks_api.worker.child.claims import TRANSITIONS, WorkerCannotGoOn
from tasks_api.worker.child.parent_pipe import obey_parent, wait_until_registered
from tasks_api.worker.child.process import Options, WorkerProcess
from tasks_api.worker.child.reloading import call_when_code_changes
from tasks_api.worker.connection import bypass_pools
from tasks_api.worker.exit_status import DONE, RELOAD, RENEW, REPLACE
from tasks_api.worker.parent.chores import Chore, doing, registered_chores
from tasks_api.worker.parent.expiring import EXPIRE
from tasks_api.worker.parent.heartbeat import Heartbeat
from tasks_api.worker.parent.init import leave_init_behind
from tasks_api.worker.parent.pruning import PRUNE
from tasks_api.worker.parent.supervisor import Supervisor
from tasks_api.worker.shared_page import SharedPage


def positive(value: str) -> int:
    number = int(value)
    if number < 1:
        raise ArgumentTypeError("Must be greater than zero")
    return number


class Command(BaseCommand):
    """Runs tasks in processes of their own; `docs/workers.md` says what happens when."""

    help = "Run tasks: a parent and its worker processes, which survive tasks and outages"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--queue-name",
            default="*",
            help="The queues to process, separated by commas (default: all)",
        )
        parser.add_argument(
            "--exclude-queues",
            default="",
            help="Queues to leave out, separated by commas, if all are processed",
        )
        parser.add_argument(
            "--processes",
            type=positive,
            default=1,
            help="How many tasks to run at a time, each in a process (default: %(default)s)",
        )
        parser.add_argument(
            "--grace-seconds",
            type=valid_interval,
            default=30.0,
            help="How long the running tasks may take to finish after SIGTERM (default: %(default)s)",
        )
        parser.add_argument(
            "--interval",
            type=valid_interval,
            default=1.0,
            help="The maximum time in seconds between two polls for a task (default: %(default)s)",
        )
        parser.add_argument(
            "--batch", action="store_true", help="Run all tasks that are ready, then exit"
        )
        parser.add_argument(
            "--max-tasks",
            type=valid_max_tasks,
            help="How many tasks each process runs before it ends (default: no limit)",
        )
        parser.add_argument(
            "--max-tasks-per-child",
            type=positive,
            help="How many tasks each process runs before it is replaced (default: no limit)",
        )
        parser.add_argument(
            "--max-memory-per-child",
            type=positive,
            metavar="MIB",
            help="With how much memory a process is replaced, between two tasks (default: no limit)",
        )
        parser.add_argument(
            "--no-prune",
            action="store_true",
            help="Do not remove old tasks: other workers, or the command `prune`, do",
        )
        parser.add_argument(
            "--prune-interval",
            type=positive,
            default=PRUNE.every,
            help="The seconds between two removals of old tasks, by one worker for all (default: %(default)s)",
        )
        parser.add_argument(
            "--reload",
            action=BooleanOptionalAction,
            default=settings.DEBUG,
            help="Replace a process when its code changes (default: DEBUG)",
        )
        parser.add_argument(
            "--backend",
            dest="backend_name",
            type=valid_backend_name,
            default=DEFAULT_TASK_BACKEND_ALIAS,
            help="The backend to operate on (default: %(default)s)",
        )
        # What the parent adds for a child.
        parser.add_argument("--worker-id", default="", help=SUPPRESS)
        parser.add_argument("--parent-pipe", type=int, default=-1, help=SUPPRESS)
        parser.add_argument("--parent-page", type=int, default=-1, help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        queue_names = _names(options["queue_name"])
        excluded = _names(options["exclude_queues"])
        if excluded and "*" not in queue_names:
            raise CommandError("--exclude-queues needs all queues: omit --queue-name.")
        renewed = [options["max_tasks_per_child"], options["max_memory_per_child"]]
        if options["max_tasks"] is not None and any(renewed):
            raise CommandError(
                "--max-tasks ends a process that --max-tasks-per-child or --max-memory-per-child would "
                "replace: use one of them."
            )
        if not getattr(self, "_called_from_command_line", False):
            raise CommandError(
                "Start the worker from a command line: it starts its processes with the same one."
            )
        self._configure_logging(options["verbosity"])
        alias = router.db_for_write(DBTaskResult)
        if connections[alias].vendor not in TRANSITIONS:
            raise CommandError(
                "The worker supports PostgreSQL and SQLite; use db_worker for other databases."
            )
        bypass_pools()
        journal.replace_lines_of_receivers()
        if not options["worker_id"]:
            sys.exit(self._supervise(alias, queue_names, options))
        child_options = Options(
            backend_name=options["backend_name"],
            queue_names=queue_names,
            excluded_queue_names=excluded,
            interval=options["interval"],
            batch=options["batch"],
            max_tasks=options["max_tasks"],
            max_tasks_per_child=options["max_tasks_per_child"],
            max_memory_per_child=options["max_memory_per_child"],
        )
        sys.exit(self._work(alias, child_options, options))

    def _supervise(self, alias: str, queue_names: list[str], options: dict[str, Any]) -> int:
        leave_init_behind()
        supervisor = Supervisor(
            [str(part) for part in get_child_arguments()] + ["--skip-checks"],
            Heartbeat(alias, queue_names),
            processes=options["processes"],
            may_end=options["batch"] or options["max_tasks"] is not None,
            grace_seconds=options["grace_seconds"],
        )
        with doing(_chores(options), alias):
            return supervisor.run()

    def _work(self, alias: str, child_options: Options, options: dict[str, Any]) -> int:
        worker_id, pipe = options["worker_id"], options["parent_pipe"]
        if not wait_until_registered(pipe):
            return REPLACE
        page = SharedPage(options["parent_page"])
        os.close(options["parent_page"])
        worker = WorkerProcess(worker_id, child_options, alias, page)
        receivers = {messages.STOP: worker.stop, messages.HEARTBEAT: worker.note_heartbeat}
        obey_parent(pipe, alias, worker_id, receivers)
        if options["reload"] and not options["batch"]:
            call_when_code_changes(worker.stop_to_reload)
        try:
            worker.run()
        except WorkerCannotGoOn as error:
            journal.logger.error("Worker %s ends and is replaced: %s", worker_id, error)
            return REPLACE
        if worker.is_outdated:
            return RELOAD
        return RENEW if worker.is_worn else DONE

    def _configure_logging(self, verbosity: int) -> None:
        """Show the worker's lines even in a project that configures no logs."""
        levels = {0: logging.CRITICAL, 1: logging.INFO}
        journal.logger.setLevel(levels.get(verbosity, logging.DEBUG))
        if not journal.logger.hasHandlers():
            journal.logger.addHandler(logging.StreamHandler(self.stdout))


def _chores(options: dict[str, Any]) -> list[Chore]:
    """Give the registered chores and the worker's own, with pruning as the options want it."""
    chores = [EXPIRE, *(chore for chore in registered_chores() if chore != PRUNE)]
    if not options["no_prune"]:
        chores.append(replace(PRUNE, every=options["prune_interval"]))
    return chores


def _names(separated_by_commas: str) -> list[str]:
    return [name.strip() for name in separated_by_commas.split(",") if name.strip()]
