"""Named sets of overrides in `presets/<domain>/`: only what differs from params.yaml, never a copy of it."""

import copy
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from winnow.pipeline.errors import ParamsError
from winnow.pipeline.files import atomic_path
from winnow.pipeline.params import Document, dotted, leaves

FOLDER = Path("presets")

Overrides = dict[str, Any]
"""Dotted keys of params.yaml and their values."""


def names(domain: str) -> list[str]:
    return sorted(path.stem for path in (FOLDER / domain).glob("*.yaml"))


def meaning(domain: str, name: str) -> str:
    """The comment at a preset's beginning."""
    lines = (FOLDER / domain / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    return " ".join(line.removeprefix("#").strip() for line in takewhile(lambda line: line.startswith("#"), lines))


def read(domain: str, name: str) -> Document:
    """`presets/<domain>/<name>.yaml`, which holds keys of the domain's section; raises ParamsError."""
    path = FOLDER / domain / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(names(domain)) or "none"
        raise ParamsError(f"there is no preset `{name}` for {domain}", where=str(path), fix=f"known: {known}")
    return Document(path)


def overrides(domain: str, preset: Document) -> Overrides:
    """What a preset changes, by dotted key of params.yaml."""
    return {dotted((domain, *location)): value for location, value in leaves(preset.content)}


def left_by_tiny(domain: str, changes: Overrides, params: Mapping[str, Any]) -> Overrides:
    """What `tiny` has left in `params` and `changes` does not set, with the defaults; empty unless most of it is there.

    A preset sets its own keys alone, so that two can be combined. `tiny` is a try: its weakened baselines and its few
    resamples must not stay under the preset that follows.
    """
    if not {"tiny", "default"} <= set(names(domain)):
        return {}
    tiny, default = (overrides(domain, read(domain, name)) for name in ("tiny", "default"))
    left = {key for key, value in tiny.items() if value_at(params, key) == value}
    if 2 * len(left) <= len(tiny):
        return {}
    return {key: default[key] for key in tiny if key in left - changes.keys() and default[key] != tiny[key]}


def kept_from_before(domain: str, changes: Overrides, params: Mapping[str, Any]) -> Overrides:
    """Values in `params` that a preset may set, that are no defaults, and that `changes` leave as they are."""
    if "default" not in names(domain):
        return {}
    defaults = overrides(domain, read(domain, "default"))
    present = {key: value_at(params, key) for key in defaults.keys() - changes.keys()}
    return {key: present[key] for key in defaults if key in present and present[key] != defaults[key]}


def without_absent_sources(domain: str, changes: Overrides, params: Mapping[str, Any]) -> Overrides:
    """The changes; without `ingest.sources` where params.yaml names some and those of the preset are not here."""
    key = f"{domain}.ingest.sources"
    absent = [each for each in changes.get(key, []) if not Path(str(each.get("path", ""))).exists()]
    if absent and value_at(params, key):
        return {name: value for name, value in changes.items() if name != key}
    return changes


def only(domain: str, preset: Document, changes: Overrides) -> Document:
    """The preset with those of its values alone that are among the changes."""
    chosen = copy.copy(preset)
    chosen.content = {}
    dropped = set()
    for location, value in leaves(preset.content):
        if dotted((domain, *location)) not in changes:
            dropped.add(location)
            continue
        section: dict[Any, Any] = chosen.content
        for parent in location[:-1]:
            section = section.setdefault(parent, {})
        section[location[-1]] = value
    chosen.places = {
        location: place
        for location, place in preset.places.items()
        if not any(location[:end] in dropped for end in range(1, len(location) + 1))
    }
    return chosen


def value_at(params: Mapping[str, Any], name: str) -> Any:
    """The value of a dotted key; None where there is none."""
    value: Any = params
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def as_options(changes: Overrides) -> list[str]:
    """`-S key=value` pairs as `dvc exp run` takes them, without blanks so that the shell splits `$(…)` between them."""
    return [part for key, value in changes.items() for part in ("-S", f"{key}={_hydra(value)}")]


def put(changes: Overrides, document: Any) -> None:
    """Put the values into the content of params.yaml."""
    for key, value in changes.items():
        *parents, last = key.split(".")
        section = document
        for parent in parents:
            section = section[parent]
        section[last] = value


def apply(changes: Overrides, path: Path) -> None:
    """Write the values into params.yaml; its comments and order are kept."""
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 4096
    document = editor.load(path.read_text(encoding="utf-8"))
    put(changes, document)
    with atomic_path(path) as scratch, scratch.open("w", encoding="utf-8", newline="\n") as file:
        editor.dump(document, file)


def _hydra(value: Any) -> str:
    """A value in the grammar of `dvc exp run -S`, which is Hydra's."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_hydra(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_hydra(item) for item in value) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
