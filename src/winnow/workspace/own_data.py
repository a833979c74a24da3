"""`winnow init`: a user's files recognised, copied, tracked by DVC and named in params.yaml; all of it or nothing."""

import io
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from winnow.domains.load import has_module, load
from winnow.pipeline import presets
from winnow.pipeline.errors import SourceError, WinnowError
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.pipeline.recognised import Recognised
from winnow.workspace.lockfile import DVC, check_lock
from winnow.workspace.validation import params_model


@dataclass(frozen=True)
class Plan:
    """What would be done: nothing of it has been."""

    domain: str
    found: list[Recognised]
    copies: dict[Path, Path]
    """what is copied, and to where"""
    sources: list[dict[str, Any]]
    """`ingest.sources` afterwards: those that are there already, and the new ones"""

    def lines(self) -> list[str]:
        """The plan as text."""
        copied = [f"copy {source} to {target}, and `dvc add` it" for source, target in self.copies.items()]
        new = [each.source for each in self.found]
        named = [f"params.yaml, {self.domain}.ingest.sources: {_shown(each)}" for each in self.sources[-len(new) :]]
        before = len(self.sources) - len(new)
        beside = [f"beside the {before} source(s) that it names already; remove those that you do not want"]
        return [*(f"recognised: {each.told}" for each in self.found), *copied, *named, *(beside if before else [])]


def plan(domain: str, files: Sequence[Path]) -> Plan:
    """What `carry_out` would do with the files; raises WinnowError for what is not recognised, or stands in the way."""
    if not has_module(domain, "source.recognise"):
        raise WinnowError(f"{domain} recognises no files", fix=f"see data/source/{domain}/README.md")
    for file in files:
        if not file.exists():
            raise WinnowError(f"{file} does not exist", fix="name files or folders of your data")
    try:
        found: list[Recognised] = load(domain, "source.recognise").recognise(files)
    except SourceError as error:
        guide = f"data/source/{domain}/README.md"
        about = "" if guide in error.fix else f"{guide} describes the formats"
        fix = "; ".join(filter(None, [error.fix, about]))
        raise SourceError(error.what, where=error.where, fix=fix) from None
    folder = Path("data", "source", domain)
    copies = {
        path: folder / path.resolve().name
        for each in found
        for path in each.copied
        if folder.resolve() not in path.resolve().parents
    }
    _check_free(copies)
    document = Document(PARAMS_FILE)
    before = list(document.content[domain]["ingest"]["sources"])
    new = [_placed(each.source, copies) for each in found]
    sources = [*before, *(each for each in new if each not in before)]
    if not all(each in sources[len(before) :] for each in new):
        raise WinnowError("params.yaml names these files already", fix=f"dvc repro plot@{domain}")
    document.content[domain]["ingest"]["sources"] = sources
    document.section((), params_model())
    return Plan(domain, found, copies, sources)


def carry_out(chosen: Plan) -> list[Path]:
    """Copy the files, `dvc add` them, and write params.yaml last; gives what Git should hold.

    On a failure what was copied is removed, and params.yaml is as before. Raises WinnowError and OSError.
    """
    check_lock()
    folder = Path("data", "source", chosen.domain)
    ignore = folder / ".gitignore"
    ignored = ignore.read_bytes() if ignore.exists() else None
    made: list[Path] = []
    try:
        for source, target in chosen.copies.items():
            made.append(target)
            shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)
        tracked = [each for each in [*made, *_inside(chosen, folder)] if not _dvc_file(each).exists()]
        if tracked:
            done = subprocess.run([*DVC, "add", *map(str, tracked)], capture_output=True, text=True, check=False)
            if done.returncode:
                raise WinnowError("`dvc add` failed; nothing was changed", where=done.stderr.strip()[-500:])
        presets.apply({f"{chosen.domain}.ingest.sources": chosen.sources}, PARAMS_FILE)
    except BaseException:
        for target in made:
            shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
            _dvc_file(target).unlink(missing_ok=True)
        if ignored is not None:
            ignore.write_bytes(ignored)
        else:
            ignore.unlink(missing_ok=True)
        raise
    return [*(_dvc_file(each) for each in tracked), ignore, PARAMS_FILE]


def _inside(chosen: Plan, folder: Path) -> list[Path]:
    """What lies in the domain's folder already: its entry there."""
    here = [path.resolve() for each in chosen.found for path in each.copied if path not in chosen.copies]
    return sorted({folder / path.relative_to(folder.resolve()).parts[0] for path in here})


def _check_free(copies: dict[Path, Path]) -> None:
    for source, target in copies.items():
        if target.exists() or _dvc_file(target).exists():
            raise WinnowError(
                f"{target} exists already; nothing was changed",
                where=str(source),
                fix="rename your file, or remove the other with its .dvc file",
            )
    if len(set(copies.values())) < len(copies):
        raise WinnowError("two of the files have the same name", where=", ".join(map(str, copies)), fix="rename one")


def _placed(value: Any, copies: dict[Path, Path]) -> Any:
    """The value with each path as it is after copying."""
    if isinstance(value, dict):
        return {key: _placed(each, copies) for key, each in value.items()}
    if not isinstance(value, Path):
        return value
    for source, target in copies.items():
        if value == source or source in value.parents:
            return (target / value.relative_to(source)).as_posix()
    return Path(value.resolve()).relative_to(Path.cwd()).as_posix()


def _dvc_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.dvc")


def _shown(source: dict[str, Any]) -> str:
    """The entry as params.yaml holds it, in one line."""
    editor = YAML()
    editor.default_flow_style, editor.width = True, 4096
    text = io.StringIO()
    editor.dump(source, text)
    return text.getvalue().strip().removeprefix("{").removesuffix("}")
