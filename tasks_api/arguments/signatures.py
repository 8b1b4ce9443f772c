"""The parameters of a task's function, with resolved type hints."""

import functools
import inspect
import sys
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypedDict

from typing_extensions import ReadOnly

if sys.version_info >= (3, 14):
    import annotationlib

    # A name that cannot be resolved stays a reference, instead of failing the whole signature.
    _signature = functools.partial(
        inspect.signature, annotation_format=annotationlib.Format.FORWARDREF
    )
else:
    _signature = inspect.signature

_QUALIFIERS = {typing.Required, typing.NotRequired, ReadOnly}
# Parameters taken from another function.
_UNKNOWN = (typing.ParamSpecArgs, typing.ParamSpecKwargs, typing.TypeVarTuple)
_EMPTY = inspect.Parameter.empty


class UnservableSignature(ValueError):
    """The function cannot be called with JSON values."""


class UnresolvedHint(Exception):
    """A hint names something that does not exist where the function is defined."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter that a client can pass; `hint` is None without a usable hint."""

    name: str
    hint: Any
    is_required: bool
    takes_keyword: bool = True


@dataclass(frozen=True, slots=True)
class Variadic:
    """`*args` or `**kwargs`: the hint of one value, or of all values together if it was unpacked."""

    name: str
    hint: Any
    is_unpacked: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a task's function, without the task context."""

    positional: tuple[Parameter, ...]
    keyword_only: tuple[Parameter, ...]
    var_positional: Variadic | None
    var_keyword: Variadic | None
    return_hint: Any
    unresolved: tuple[tuple[str, str], ...]
    """The parameters whose hints Python cannot resolve, and why; `return` is the return hint."""

    @classmethod
    def of(cls, function: Callable[..., Any], *, takes_context: bool) -> "Signature":
        """
        Read the signature of a task's function.

        Raises:
            UnservableSignature: the signature cannot be determined, or the function requires a
                keyword that Django cannot pass on.

        """
        return _SignatureReader(function, takes_context).read()


class _SignatureReader:
    def __init__(self, function: Callable[..., Any], takes_context: bool) -> None:
        self.decorated = function
        self.function = inspect.unwrap(function)
        self.takes_context = takes_context
        self.unresolved: list[tuple[str, str]] = []

    def read(self) -> Signature:
        try:
            signature = _signature(self.decorated)
        except (TypeError, ValueError, NameError) as error:
            raise UnservableSignature("The function's signature cannot be determined.") from error
        parameters = list(signature.parameters.values())
        if self.takes_context:
            parameters = parameters[1:]
        by_kind: dict[Any, list[inspect.Parameter]] = {}
        for parameter in parameters:
            by_kind.setdefault(parameter.kind, []).append(parameter)
        var_positional = by_kind.get(inspect.Parameter.VAR_POSITIONAL)
        var_keyword, unpacked = self._var_keyword(by_kind.get(inspect.Parameter.VAR_KEYWORD))
        keyword_only = by_kind.get(inspect.Parameter.KEYWORD_ONLY, [])
        return Signature(
            positional=tuple(
                self._parameter(parameter)
                for kind in (
                    inspect.Parameter.POSITIONAL_ONLY,
                    inspect.Parameter.POSITIONAL_OR_KEYWORD,
                )
                for parameter in by_kind.get(kind, [])
            ),
            keyword_only=self._keyword_only([*map(self._parameter, keyword_only), *unpacked]),
            var_positional=self._var_positional(var_positional[0]) if var_positional else None,
            var_keyword=var_keyword,
            return_hint=self._hint("return", signature.return_annotation),
            unresolved=tuple(self.unresolved),
        )

    def _parameter(self, parameter: inspect.Parameter) -> Parameter:
        positional_only = parameter.kind is inspect.Parameter.POSITIONAL_ONLY
        return Parameter(
            parameter.name,
            self._hint(parameter.name, parameter.annotation),
            is_required=parameter.default is _EMPTY,
            # Django calls `Task.call(self, *args, **kwargs)`: a keyword `self` would collide.
            takes_keyword=not positional_only and parameter.name != "self",
        )

    def _keyword_only(self, parameters: list[Parameter]) -> tuple[Parameter, ...]:
        for parameter in parameters:
            if parameter.name == "self" and parameter.is_required:
                raise UnservableSignature(
                    "It requires a keyword called `self`, which Django's Task.call() cannot pass on."
                )
        return tuple(parameter for parameter in parameters if parameter.name != "self")

    def _var_positional(self, parameter: inspect.Parameter) -> Variadic:
        hint = self._hint(parameter.name, parameter.annotation)
        if (unpacked := _unpacked(hint)) is not None:
            return Variadic(parameter.name, unpacked, is_unpacked=True)
        return Variadic(parameter.name, hint)

    def _var_keyword(
        self, given: list[inspect.Parameter] | None
    ) -> tuple[Variadic | None, list[Parameter]]:
        """Read `**kwargs`; `**kwargs: Unpack[SomeTypedDict]` becomes keyword-only parameters."""
        if not given:
            return None, []
        [parameter] = given
        hint = self._hint(parameter.name, parameter.annotation)
        unpacked = _unpacked(hint)
        if unpacked is None:
            return Variadic(parameter.name, hint), []
        try:
            return None, list(_members(unpacked))
        except Exception as error:  # noqa: BLE001, RUF100 -- no odd hint may break start-up
            self.unresolved.append((parameter.name, str(error)))
            return Variadic(parameter.name, None), []

    def _hint(self, name: str, annotation: Any) -> Any:
        if annotation is _EMPTY:
            return None
        try:
            hint = self._resolve(annotation)
        except UnresolvedHint as error:
            self.unresolved.append((name, str(error)))
            return None
        return None if isinstance(_unpacked(hint) or hint, _UNKNOWN) else hint

    def _resolve(self, annotation: Any) -> Any:
        """Resolve the names in an annotation, in the scope of the function."""

        def probe() -> None: ...

        probe.__annotations__ = {"hint": annotation}
        probe.__type_params__ = getattr(self.function, "__type_params__", ())
        scope = getattr(self.function, "__globals__", {})
        try:
            hints = typing.get_type_hints(probe, globalns=scope, include_extras=True)
        except Exception as error:
            raise UnresolvedHint(str(error)) from error
        return hints["hint"]


def _unpacked(hint: Any) -> Any:
    """Return the argument of `Unpack[...]` or a star, None for any other hint."""
    if typing.get_origin(hint) is typing.Unpack:
        return typing.get_args(hint)[0]
    return None


def _members(typed_dict: type[TypedDict]) -> Iterator[Parameter]:  # type: ignore[valid-type]
    origin: Any = typing.get_origin(typed_dict) or typed_dict
    parameters = getattr(origin, "__parameters__", ())
    given = dict(zip(parameters, typing.get_args(typed_dict), strict=False))
    for name, hint in typing.get_type_hints(origin, include_extras=True).items():
        # If annotations are strings, `__required_keys__` ignores their qualifiers.
        is_required, unqualified = _unqualified(hint, name in origin.__required_keys__)
        yield Parameter(name, _filled_in(unqualified, given), is_required)


def _unqualified(hint: Any, is_required: bool) -> tuple[bool, Any]:
    """Return whether a member is required, and its hint without qualifiers, which may be nested."""
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        is_required, inner = _unqualified(hint.__origin__, is_required)
        return is_required, typing.Annotated[inner, *hint.__metadata__]
    if origin not in _QUALIFIERS:
        return is_required, hint
    if origin is not ReadOnly:
        is_required = origin is typing.Required
    return _unqualified(typing.get_args(hint)[0], is_required)


def _filled_in(hint: Any, given: dict[Any, Any]) -> Any:
    """Return a hint with the arguments of a generic class in place of its parameters."""
    if isinstance(hint, typing.TypeVar):
        return given.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    return hint[tuple(given.get(each, each) for each in parameters)] if parameters else hint
