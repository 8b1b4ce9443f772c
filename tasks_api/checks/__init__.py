"""System checks: problems with the configuration are reported at start-up, with a hint."""

from tasks_api.checks import authentication, backends, policies, rates, task_types

__all__ = ["authentication", "backends", "policies", "rates", "task_types"]
