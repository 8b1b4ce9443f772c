"""What a task type takes and gives: a check of calls, JSON Schemas, and warnings for its author."""

from tasks_api.arguments.arguments import Arguments
from tasks_api.arguments.signatures import UnservableSignature

__all__ = ["Arguments", "UnservableSignature"]
