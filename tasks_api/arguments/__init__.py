"""The arguments and the return value of a task type: checks, JSON Schemas, warnings for its author."""

from tasks_api.arguments.arguments import Arguments
from tasks_api.arguments.signatures import UnservableSignature

__all__ = ["Arguments", "UnservableSignature"]
