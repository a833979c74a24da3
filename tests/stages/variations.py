"""Another valid value for any param of a section."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from winnow.pipeline.section import Section

SCALARS: dict[type, Callable[[Any], list[Any]]] = {
    bool: lambda value: [not value],
    int: lambda value: [value + 1, value - 1, value * 2, value // 2],
    float: lambda value: [value / 2, value * 2, value + 1, (value + 1) / 2],
    str: lambda value: [f"{value}_other"],
}
"""Other values to try; bool comes before int, of which it is a subclass."""


def params_of(section: type[Section], prefix: str) -> Iterator[str]:
    """The path of every single param of a section, such as `ingest.sources`."""
    for name, info in section.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            yield from params_of(info.annotation, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}"


def varied(section: type[Section], values: Mapping[str, Any], path: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The section's values with another valid value of the param at `path`: the one in `given`, or one found.

    Raises LookupError when none is given or found.
    """
    keys = path.split(".")[1:]
    info, value = _field(section, keys), _value(values, keys)
    candidates = [given[path]] if path in given else [each for each in _candidates(info, value) if each != value]
    for candidate in candidates:
        changed = _replaced(values, keys, candidate)
        if _is_valid(section, changed):
            return changed
    raise LookupError(f"no other valid value of {path} was found: add one to tests/stages/domain_examples.py")


def _field(section: type[Section], keys: list[str]) -> FieldInfo:
    info = section.model_fields[keys[0]]
    if len(keys) == 1:
        return info
    assert isinstance(info.annotation, type)
    assert issubclass(info.annotation, Section)
    return _field(info.annotation, keys[1:])


def _value(values: Mapping[str, Any], keys: list[str]) -> Any:
    return _value(values[keys[0]], keys[1:]) if len(keys) > 1 else values[keys[0]]


def _candidates(info: FieldInfo, value: Any) -> list[Any]:
    kind = info.annotation
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        more = [each for each in get_args(item) if each not in value] if get_origin(item) is Literal else []
        return [value[:-1], [*value, *more[:1]], [*value, *value[-1:]]]
    for scalar, others in SCALARS.items():
        if isinstance(value, scalar):
            return others(value)
    return [1, 1.0, "other"]


def _replaced(values: Mapping[str, Any], keys: list[str], value: Any) -> dict[str, Any]:
    first, *rest = keys
    return {**values, first: _replaced(values[first], rest, value) if rest else value}


def _is_valid(section: type[Section], values: Mapping[str, Any]) -> bool:
    try:
        section.model_validate(values)
    except ValidationError:
        return False
    return True
