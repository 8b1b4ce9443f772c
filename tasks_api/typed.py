"""
Tasks whose arguments arrive as their hints say, and whose results are stored as their JSON.

    @task
    @typed
    def book(order: Order, at: datetime) -> Receipt: ...

    enqueue(book, order, at=timezone.now())
"""

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, cast

from django.tasks import Task, TaskContext, TaskResult

from tasks_api.arguments.conversion import Conversion

__all__ = ["aenqueue", "enqueue", "typed"]


def typed[**P](function: Callable[P, Any]) -> Callable[P, Any]:
    """
    Convert the arguments of a task's function from JSON, and its return value to JSON, by the hints.

    Place it below `@task`. What does not fit fails the task with `ArgumentsDoNotFit` or
    `ReturnValueDoesNotFit` of `tasks_api.exceptions`. The task's own `enqueue()` takes JSON, as a
    request does; `tasks_api.typed.enqueue()` takes what the hints say.

    Raises:
        TypeError: it is placed above `@task`.

    """
    if isinstance(function, Task):
        raise TypeError("@typed decorates a function: place it below @task.")
    conversion = Conversion(function)

    if iscoroutinefunction(function):

        @wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            context, converted, named = _converted(conversion, args, kwargs)
            value = await function(*context, *converted, **named)
            return conversion.result(value, takes_context=bool(context))

    else:

        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            context, converted, named = _converted(conversion, args, kwargs)
            value = function(*context, *converted, **named)
            return conversion.result(value, takes_context=bool(context))

    conversion.attach_to(wrapper)
    return wrapper


def enqueue[**P, R](task: "Task[P, R]", /, *args: P.args, **kwargs: P.kwargs) -> "TaskResult[P, R]":
    """
    Enqueue a task that is `@typed` with values as its hints say, or with their JSON.

    Raises:
        ArgumentsDoNotFit: the function cannot be called with these; nothing is stored.
        TypeError: the task's function is not `@typed`.

    """
    json_args, json_kwargs = _json(task, list(args), kwargs)
    return cast(Any, task).enqueue(*json_args, **json_kwargs)  # type: ignore[no-any-return]


async def aenqueue[**P, R](
    task: "Task[P, R]", /, *args: P.args, **kwargs: P.kwargs
) -> "TaskResult[P, R]":
    """Do what `enqueue()` does, from asynchronous code."""
    json_args, json_kwargs = _json(task, list(args), kwargs)
    return await cast(Any, task).aenqueue(*json_args, **json_kwargs)  # type: ignore[no-any-return]


def _json(
    task: "Task[..., Any]", args: list[Any], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    conversion = Conversion.of(task.func)
    if conversion is None:
        raise TypeError(f"{task.module_path} is not @typed: call its own enqueue().")
    return conversion.json(args, kwargs, takes_context=task.takes_context)


def _converted(
    conversion: Conversion, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], list[Any], dict[str, Any]]:
    """Return the context of a call, if it has one, and the converted arguments."""
    # No JSON is a context: only Django passes one, by position, to tasks that take it.
    context = args[:1] if args and isinstance(args[0], TaskContext) else ()
    converted, named = conversion.arguments(
        list(args[len(context) :]), kwargs, takes_context=bool(context)
    )
    return context, converted, named
