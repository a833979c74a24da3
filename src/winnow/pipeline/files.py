"""Atomic writes: a file is written to a temporary path in the target's folder, then renamed."""

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from winnow.pipeline.errors import WinnowError
from winnow.pipeline.reading import reading

SIGNIFICANT_DIGITS = 6
JUDGEMENT = "judgement.json"
"""All that evaluate found out about a model; in `metrics/<domain>/`, and in a model's folder that was given away."""


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path in the target's folder; it is renamed to `target` when the block ends without an error.

    Raises OSError naming `target` where the system names no file, as for a full disk.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield scratch
        scratch.replace(target)
    except OSError as error:
        if error.errno is not None:  # a library's own error has only a text, which a file's name would replace
            error.filename = error.filename or str(target)
        raise
    finally:
        scratch.unlink(missing_ok=True)


def is_watched(path: Path, folder: Path) -> bool:
    """Whether DVC, which depends on `folder`, sees the file or folder at `path` change.

    It follows links to files (with `cache.type symlink` all that `dvc add` tracks are links), but none to folders.
    """
    place = path.resolve() if path.is_dir() else path.parent.resolve() / path.name
    return folder.resolve() in place.parents


def write_text(target: Path, text: str) -> None:
    with atomic_path(target) as scratch:
        scratch.write_text(text, encoding="utf-8", newline="\n")


def write_json(target: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file as `as_json` formats it."""
    write_text(target, as_json(value))


def maker(path: Path) -> str:
    """What to do for a missing output of a stage, `data/<domain>/<stage>/…`."""
    folder, domain, stage, *_ = (*path.parts, "", "", "")
    target = f" {stage}@{domain}" if folder == "data" and stage else ""
    return f"run the stage that makes it: `dvc repro{target}`; or `dvc checkout{target}`, where it ran before"


def read_json(path: Path, *keys: str, made_by: str = "dvc repro") -> dict[str, Any]:
    """The object in a JSON file that the command `made_by` writes.

    Raises WinnowError, naming the command, when there is none, or when one of `keys` is not in it.
    """
    if not path.exists():
        raise WinnowError(f"{path} does not exist", fix=f"{made_by} writes it")
    with reading(path, "is not valid JSON", fix=f"{made_by} writes it again", error=WinnowError):
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    if not isinstance(found, dict):
        raise WinnowError(f"{path} holds no JSON object", fix=f"{made_by} writes it again")
    if missing := [key for key in keys if key not in found]:
        raise WinnowError(f"{path} lacks {', '.join(missing)}", fix=f"{made_by} writes it again")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def as_json(value: Mapping[str, Any]) -> str:
    """Sorted keys, floats at six significant digits; NaN and infinity raise ValueError."""
    return json.dumps(_plain(value), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """Python's own types only: numpy scalars unwrapped, floats rounded, keys as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    return value


BESIDE = {JUDGEMENT, "README.md", *(f"model{kind}.onnx{part}" for kind in ("", ".int8") for part in ("", ".data"))}
"""In a model's folder, made from it: its judgement, its page, and the same network for ONNX Runtime."""


def folder_digest(folder: Path) -> str:
    """SHA-256 over the files of a model's folder, by their paths in it.

    What is no part of the model does not count: what is `BESIDE` it, and hidden files, which downloading adds.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.as_posix() not in BESIDE and not name.as_posix().startswith("."):
            with path.open("rb") as file:
                digest.update(f"{name.as_posix()}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
