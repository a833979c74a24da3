"""`winnow init` and `winnow remove`: a user's files as a domain's sources, and out again; all of it or nothing.

Files are recognised, copied, tracked by DVC and named in params.yaml. What is taken out stays where it is.
"""

import filecmp
import io
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from ruamel.yaml import YAML

from winnow.domains.load import has_module, load
from winnow.pipeline import presets
from winnow.pipeline.errors import SourceError, WinnowError
from winnow.pipeline.files import write_text
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.pipeline.recognised import Needs, Recognised
from winnow.workspace.lockfile import DVC, check_lock


@dataclass(frozen=True)
class Plan:
    """What would be done: nothing of it has been."""

    domain: str
    found: list[Recognised]
    copies: dict[Path, Path]
    """what is copied, and to where"""
    sources: list[dict[str, Any]]
    """`ingest.sources` afterwards"""
    removed: list[dict[str, Any]]
    """sources that are not named any more"""
    needs: Needs

    def lines(self) -> list[str]:
        """The plan as text."""
        copied = [f"copy {source} to {target}, and `dvc add` it" for source, target in self.copies.items()]
        written = [f"write {path}" for path in self.needs.files]
        new = [each.source for each in self.found]
        before = self.sources[: len(self.sources) - len(new)]
        named = [f"params.yaml, {self.domain}.ingest.sources: {_shown(each)}" for each in self.sources[len(before) :]]
        values = [
            f"params.yaml, {self.domain}.{each.key}: {each.value if each.value is not True else 'true'} ({each.why})"
            for each in self.needs.settings
        ]
        out = [f"params.yaml no longer names {each['path']}" for each in self.removed]
        beside = [f"beside {', '.join(each['path'] for each in before)}; instead of all before: --replace"] * bool(new)
        recognised = [f"recognised: {each.told}" for each in self.found]
        return [
            *recognised, *self._doubted(), *copied, *written, *self.needs.told, *values, *out, *named,
            *(beside if before else []),
        ]  # fmt: skip

    def _doubted(self) -> list[str]:
        """Files of which more rows cannot be used than ingest allows."""
        allowed = Document(PARAMS_FILE).content[self.domain]["ingest"].get("max_rejected_share", 1.0)
        limit = f"{self.domain}.ingest.max_rejected_share allows {allowed:.1%} of all sources' rows"
        return [
            f"⚠ {each.rejected_share:.1%} of the rows of {each.source['path']} cannot be used; {limit}"
            for each in self.found
            if each.rejected_share > allowed
        ]


def plan(domain: str, files: Sequence[Path], *, replace: bool = False) -> Plan:
    """What `carry_out` would do with the files, which join the sources that params.yaml names, or replace them.

    Raises WinnowError for what is not recognised, or stands in the way.
    """
    if not has_module(domain, "source.recognise"):
        raise WinnowError(f"{domain} recognises no files", fix=f"see data/source/{domain}/README.md")
    for file in files:
        if not file.exists():
            is_address = str(file).startswith(("http:", "https:"))
            fix = "download it, and name the file" if is_address else "name files or folders of your data"
            raise WinnowError(f"{file} does not exist", fix=fix)
    folder = _folder(domain)
    files = [_in_place(file, folder) for file in files]
    found = _recognise(domain, files)
    copies = {
        path: folder / path.resolve().name
        for each in found
        for path in each.copied
        if folder.resolve() not in path.resolve().parents
    }
    _check_free(copies)
    named = list(Document(PARAMS_FILE).content[domain]["ingest"]["sources"])
    new = [_placed(each.source, copies) for each in found]
    before = [] if replace else named
    if any(each in before for each in new) or new == named:
        raise WinnowError(
            "params.yaml names these files already", fix=f"dvc repro plot@{domain}, or --replace to name them alone"
        )
    sources, removed = [*before, *new], [each for each in named if each not in [*before, *new]]
    needs = _needs(domain, [*before, *(each.source for each in found)], sources)
    return Plan(domain, found, copies, sources, removed, needs)


def _recognise(domain: str, files: Sequence[Path]) -> list[Recognised]:
    try:
        found: list[Recognised] = load(domain, "source.recognise").recognise(files)
    except SourceError as error:
        guide = f"data/source/{domain}/README.md"
        about = "" if guide in error.fix else f"{guide} describes the formats"
        fix = "; ".join(filter(None, [error.fix, about]))
        raise SourceError(error.what, where=error.where, fix=fix) from None
    return found


def _needs(domain: str, read: Sequence[dict[str, Any]], sources: list[dict[str, Any]]) -> Needs:
    """What the `sources` need besides; `read` are the same with paths that can be read now. Raises ParamsError."""
    document = Document(PARAMS_FILE)
    section = document.content[domain]
    needs = load(domain, "source.needs").needs(read, section) if has_module(domain, "source.needs") else Needs()
    presets.put({"ingest.sources": sources, **{each.key: each.value for each in needs.settings}}, section)
    document.section((domain,), load(domain, "params").Params)
    return needs


def carry_out(chosen: Plan) -> list[Path]:
    """Copy the files, `dvc add` them, and write params.yaml last; gives what Git should hold.

    On a failure what was copied is removed, and params.yaml is as before. Raises WinnowError and OSError.
    """
    check_lock()
    folder = _folder(chosen.domain)
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
        for path, text in chosen.needs.files.items():
            made.append(path)
            write_text(path, text)
        _write_sources(chosen.domain, chosen.sources, chosen.needs)
    except BaseException:
        for target in made:
            shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
            _dvc_file(target).unlink(missing_ok=True)
        for path in chosen.needs.files:
            for emptied in (each for each in path.parents if each.is_dir() and not any(each.iterdir())):
                emptied.rmdir()
        if ignored is not None:
            ignore.write_bytes(ignored)
        else:
            ignore.unlink(missing_ok=True)
        raise
    new_files = chosen.needs.files
    return [*(_dvc_file(each) for each in tracked), *([ignore] if tracked else []), *new_files, PARAMS_FILE]


def not_default(chosen: Plan) -> list[str]:
    """What params.yaml says otherwise than the preset `default`, and not because these data need it."""
    domain = chosen.domain
    params = Document(PARAMS_FILE).content
    shipped = presets.overrides(domain, presets.read(domain, "default"))
    needed = {f"{domain}.{each.key}" for each in chosen.needs.settings}
    changed = {
        key: presets.value_at(params, key) for key, value in shipped.items() if presets.value_at(params, key) != value
    }
    return [f"{key}: {value}" for key, value in changed.items() if key not in needed]


def _write_sources(domain: str, sources: list[dict[str, Any]], needs: Needs) -> None:
    values = {f"{domain}.{each.key}": each.value for each in needs.settings}
    presets.apply({f"{domain}.ingest.sources": sources, **values}, PARAMS_FILE)


def remove(domain: str, names: Sequence[str]) -> Plan:
    """What `take_out` would do: the sources of these paths or file names are no longer named.

    Raises WinnowError for a name that none of the sources has, or several.
    """
    sources = list(Document(PARAMS_FILE).content[domain]["ingest"]["sources"])
    if not sources:
        raise WinnowError(f"{domain} has no source to remove: it uses its embedded data")
    known = ", ".join(each["path"] for each in sources)
    removed: list[dict[str, Any]] = []
    for name in names:
        whole = [each for each in sources if Path(each["path"]) == Path(name)]
        ending = [each for each in sources if Path(each["path"]).parts[-len(Path(name).parts) :] == Path(name).parts]
        matching = whole or ending
        if len(matching) != 1:
            what = "several sources have" if matching else "no source has"
            raise WinnowError(f"{what} the name {name}", where=f"{domain}.ingest.sources", fix=f"one of {known}")
        removed += [each for each in matching if each not in removed]
    left = [each for each in sources if each not in removed]
    return Plan(domain, [], {}, left, removed, _needs(domain, left, left))


def take_out(chosen: Plan) -> None:
    """Write params.yaml without the sources; no file is touched."""
    _write_sources(chosen.domain, chosen.sources, chosen.needs)


def unused(chosen: Plan) -> list[str]:
    """The commands that remove files which only the removed sources need, from DVC and from the disk."""
    if not chosen.removed:  # what stays is not read again
        return []
    needed = {entry for source in chosen.sources for entry in _entries(chosen.domain, source)}
    entries = {entry for source in chosen.removed for entry in _entries(chosen.domain, source)}
    return [
        (f"dvc remove {_quoted(_dvc_file(each))} && " if _dvc_file(each).exists() else "") + f"rm -r {_quoted(each)}"
        for each in sorted(entries - needed)
    ]


def _entries(domain: str, source: dict[str, Any]) -> set[Path]:
    """What lies in the domain's folder for a source: its files, and those that are read from beside them."""
    named = [Path(value) for value in source.values() if isinstance(value, str) and Path(value).exists()]
    try:
        files = [path for each in load(domain, "source.recognise").recognise(named) for path in each.copied]
    except (WinnowError, OSError):  # it may be what was wrong with it
        files = named
    folder = _folder(domain).resolve()
    inside = [path.resolve() for path in [*files, *named] if folder in path.resolve().parents]
    return {_folder(domain) / path.relative_to(folder).parts[0] for path in inside}


def _folder(domain: str) -> Path:
    return Path("data", "source", domain)


def _inside(chosen: Plan, folder: Path) -> list[Path]:
    """What lies in the domain's folder already: its entry there."""
    here = [path.resolve() for each in chosen.found for path in each.copied if path not in chosen.copies]
    return sorted({folder / path.relative_to(folder.resolve()).parts[0] for path in here})


def _in_place(file: Path, folder: Path) -> Path:
    """The same file or folder as it lies in the domain's folder already, such as after `winnow remove`; else `file`."""
    target = folder / file.resolve().name
    return target if target.exists() and _equal(file, target) else file


def _equal(one: Path, other: Path) -> bool:
    """Whether two files, or all files of two folders, hold the same."""
    if one.is_file() and other.is_file():
        return filecmp.cmp(one, other, shallow=False)
    if not (one.is_dir() and other.is_dir()):
        return False
    names = [{path.relative_to(each) for path in each.rglob("*") if path.is_file()} for each in (one, other)]
    return names[0] == names[1] and all(filecmp.cmp(one / name, other / name, shallow=False) for name in names[0])


def _check_free(copies: dict[Path, Path]) -> None:
    for source, target in copies.items():
        if target.exists() or _dvc_file(target).exists():
            raise WinnowError(
                f"{target} exists already; nothing was changed",
                where=str(source),
                fix="rename your file; for a newer version of the same: "
                f"rm -r {_quoted(target)} && cp -r {_quoted(source)} {_quoted(target)} && dvc add {_quoted(target)}",
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


def _quoted(path: Path) -> str:
    return quote(str(path))


def _dvc_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.dvc")


def _shown(source: dict[str, Any]) -> str:
    """The entry as params.yaml holds it, in one line."""
    editor = YAML()
    editor.default_flow_style, editor.width = True, 4096
    text = io.StringIO()
    editor.dump(source, text)
    return text.getvalue().strip().removeprefix("{").removesuffix("}")
