"""Turns what pydantic says about a mapping into faults: the key, what was found, what was expected, an example."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from millrace.contracts.problem import Wrong, one_of

Loc = tuple[int | str, ...]

_PLAIN = {
    "too_short": "at least one", "string_too_short": "a text", "string_type": "a text", "tuple_type": "a list",
    "dict_type": "'key: value' pairs", "model_type": "'key: value' pairs",
    "int_type": "a whole number", "int_parsing": "a whole number", "int_from_float": "a whole number",
}  # fmt: skip
"""What pydantic says in a programmer's words."""


@dataclass(frozen=True)
class Fault:
    """A problem whose place is still a path of keys."""

    loc: Loc
    found: str
    expected: str
    example: str = ""


def faults_of(
    error: ValidationError, model: type[BaseModel], raw: dict[str, Any], from_place: tuple[str, ...]
) -> list[Fault]:
    """One fault for each wrong key, those that do not belong in the file among them."""
    return [*misplaced(raw, model, from_place), *(_fault(detail, model, from_place) for detail in error.errors())]


def misplaced(raw: dict[str, Any], model: type[BaseModel], from_place: tuple[str, ...]) -> Iterator[Fault]:
    """Keys that are never written, because where the file lies says them."""
    for key in from_place:
        if key in raw:
            yield Fault((key,), f"key '{key}', which the place of the file says", _known(model, from_place, key))


def _fault(detail: ErrorDetails, model: type[BaseModel], from_place: tuple[str, ...]) -> Fault:
    loc = detail["loc"]
    example = _example(model, loc)
    wrong = detail.get("ctx", {}).get("error")
    if isinstance(wrong, Wrong):
        return Fault(loc, f"{_dotted(loc)}{wrong.found}", wrong.expected, wrong.example or example)
    match detail["type"]:
        case "missing":
            return Fault(loc, f"no '{loc[-1]}'", "it", example)
        case "extra_forbidden":
            known = _known(_model_at(model, loc[:-1]), from_place if len(loc) == 1 else (), str(loc[-1]))
            return Fault(loc, f"unknown key '{loc[-1]}'", known)
        case kind:
            expected = _PLAIN.get(kind) or detail["msg"].removeprefix("Input should be ").removeprefix("String should ")
            return Fault(loc, f"{_dotted(loc)}{detail['input']!r}", expected, example)


def _known(model: type[BaseModel], from_place: tuple[str, ...], given: str) -> str:
    return one_of((name for name in model.model_fields if name not in from_place), given)


def _dotted(loc: Loc) -> str:
    return f"{'.'.join(map(str, loc))}: " if loc else ""


def _example(model: type[BaseModel], loc: Loc) -> str:
    """The declared example of the deepest key that has one."""
    for depth in range(len(loc), 0, -1):
        field = _field(model, loc[:depth])
        if field and field.examples and isinstance(loc[depth - 1], str):
            return f"{loc[depth - 1]}: {field.examples[0]}"
    return ""


def _field(model: type[BaseModel], loc: Loc) -> FieldInfo | None:
    """The declaration of the key at `loc`, if it is a declared one."""
    field: FieldInfo | None = None
    inner: type[BaseModel] | None = model
    for part in loc:
        field = inner.model_fields.get(str(part)) if inner else None
        inner = _inner(field)
    return field


def _model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel]:
    return _inner(_field(model, loc)) or model


def _inner(field: FieldInfo | None) -> type[BaseModel] | None:
    """The model that a field holds, if it holds one."""
    kinds = [field.annotation, *get_args(field.annotation)] if field else []
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
