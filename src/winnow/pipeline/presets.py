"""Named sets of overrides in `presets/<domain>/`: only what differs from params.yaml, never a copy of it."""

from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML

from winnow.pipeline.errors import ParamsError
from winnow.pipeline.files import atomic_path

FOLDER = Path("presets")

Overrides = dict[str, Any]
"""Dotted keys of params.yaml and their values."""


def names(domain: str) -> list[str]:
    return sorted(path.stem for path in (FOLDER / domain).glob("*.yaml"))


def meaning(domain: str, name: str) -> str:
    """The comment on a preset's first line."""
    first = (FOLDER / domain / f"{name}.yaml").read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip()


def read(domain: str, name: str) -> Overrides:
    """The overrides of `presets/<domain>/<name>.yaml`; raises ParamsError when there is none."""
    path = FOLDER / domain / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(names(domain)) or "none"
        raise ParamsError(f"there is no preset `{name}` for {domain}", where=str(path), fix=f"known: {known}")
    return _flat(yaml.safe_load(path.read_text(encoding="utf-8")), domain)


def as_options(overrides: Overrides) -> list[str]:
    """`-S key=value` pairs as `dvc exp run` takes them, free of blanks so that `$(…)` splits them rightly."""
    return [part for key, value in overrides.items() for part in ("-S", f"{key}={_hydra(value)}")]


def apply(overrides: Overrides, path: Path) -> None:
    """Write the overrides into params.yaml, whose comments and order stay."""
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 4096
    document = editor.load(path.read_text(encoding="utf-8"))
    for key, value in overrides.items():
        *parents, last = key.split(".")
        section = document
        for parent in parents:
            section = section[parent]
        section[last] = value
    with atomic_path(path) as scratch, scratch.open("w", encoding="utf-8", newline="\n") as file:
        editor.dump(document, file)


def _flat(value: Any, prefix: str) -> Overrides:
    if isinstance(value, dict) and value:
        return {key: item for name, inner in value.items() for key, item in _flat(inner, f"{prefix}.{name}").items()}
    return {prefix: value}


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
