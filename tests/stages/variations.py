"""Another valid value for every single param of a section."""

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


def variations(
    section: type[Section], values: Mapping[str, Any], prefix: str, given: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The path of each param (`ingest.sources`), and the section's values with another valid value for this param.

    `given` has such values by path. Raises LookupError for a param for which none is given or found.
    """
    for path, candidates in _leaves(section, values, prefix, given):
        keys = path.removeprefix(f"{prefix}.").split(".")
        for candidate in candidates:
            changed = _replaced(values, keys, candidate)
            if _is_valid(section, changed):
                yield path, changed
                break
        else:
            raise LookupError(f"no other valid value of {path} was found: add one to tests/stages/answers.py")


def _leaves(
    section: type[Section], values: Mapping[str, Any], prefix: str, given: Mapping[str, Any]
) -> Iterator[tuple[str, list[Any]]]:
    for name, info in section.model_fields.items():
        path, value = f"{prefix}.{name}", values[name]
        if path in given:
            yield path, [given[path]]
        elif isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            yield from _leaves(info.annotation, value, path, given)
        else:
            yield path, [candidate for candidate in _candidates(info, value) if candidate != value]


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
