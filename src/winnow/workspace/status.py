"""Whether dvc.lock is current for the code, the params and the data that are here, and what each domain's results are.

Neither the stages' data nor torch is needed: DVC's lock is compared with the commands, params and code digests of now.
(`dvc repro --dry` needs the data, and ends with 0 also when stages would run.)
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dvc.dependency import ParamsDependency
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.stage import Stage

from winnow.learn.folder import PASSED, never_predicted
from winnow.pipeline import environment
from winnow.pipeline.code import program_digests
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import JUDGEMENT, as_json, read_json
from winnow.pipeline.params import PARAMS_FILE, STAGES, Document
from winnow.pipeline.parent import is_alive
from winnow.pipeline.presets import value_at
from winnow.workspace.lockfile import check_lock, repository

DATA_STAGES = STAGES[: STAGES.index("train")]
RUNNING = Path(".dvc/tmp/rwlock")
"""Where DVC keeps which process writes what."""
CHECKED = Path("data/params.ok")
"""What `check` writes when params.yaml is valid; its content is constant."""


def stale_stages(params: Mapping[str, Any] | None = None) -> dict[str, list[str]]:
    """The stages whose results in dvc.lock are not those of the files here, with the reasons; empty when all are.

    The working folder is the repository's root. Stages that only follow a stale one are not listed. A source folder
    counts where all its files are here, and so do outputs that DVC keeps, which `dvc checkout` brings.

    `params` are those of params.yaml, where they have been read. Raises WinnowError when DVC cannot read dvc.yaml or
    dvc.lock.
    """
    check_lock()
    try:
        stages = {stage.addressing: stage for stage in repository().index.stages}
    except DvcException as error:
        raise WinnowError(
            f"DVC cannot read the pipeline: {error}",
            fix="if DVC is running, it was writing the file: try again; else `dvc stage list` shows the place",
        ) from None
    params = Document(PARAMS_FILE).content if params is None else params
    if missing := [name for name in params["domains"] if not any(stage.endswith(f"@{name}") for stage in stages)]:
        raise WinnowError(
            f"dvc.yaml has no stage of {', '.join(missing)}", fix="git checkout dvc.yaml, or take it from `domains:`"
        )
    code = {
        path.as_posix(): hashlib.md5(as_json(digests).encode(), usedforsecurity=False).hexdigest()
        for path, digests in program_digests().items()
    }
    made = {out.def_path: out.hash_info.value for stage in stages.values() for out in stage.outs}
    found = {name: list(_reasons(stage, params, code, made)) for name, stage in stages.items() if name != "check"}
    return {name: reasons for name, reasons in found.items() if reasons}


def _reasons(
    stage: Stage, params: Mapping[str, Any], code: Mapping[str, str], made: Mapping[str, str]
) -> Iterator[str]:
    """Why a stage has to run again."""
    unknown = [out.def_path for out in stage.outs if not out.hash_info]
    if len(unknown) == len(stage.outs):
        yield "it has never run"
        return
    if unknown:
        yield f"it has not written {', '.join(unknown)} yet"
    if stage.changed_stage():
        yield "its command is another"
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency):
            changed = sorted(
                name for name in dep.params if value_at(params, name) != (dep.hash_info.value or {}).get(name)
            )
            if changed:
                yield f"params: {', '.join(changed)}"
        elif reason := _dependency_reason(dep, code, made):
            yield reason
    for out in stage.outs:
        if out.hash_info and (not out.use_cache or out.exists) and out.workspace_status():
            yield f"{out.def_path} is not what the stage wrote" + (" (dvc checkout)" if out.use_cache else "")


def _dependency_reason(dep: Output, code: Mapping[str, str], made: Mapping[str, str]) -> str:
    """What is not as it was when the stage ran; empty when everything is."""
    path, locked = dep.def_path, dep.hash_info.value
    if path in code:
        return "its code has changed" if locked != code[path] else ""
    if path in made:
        return f"{path} is another" if locked != made[path] and path != CHECKED.as_posix() else ""
    return f"{path} has changed" if _is_here(dep) and dep.workspace_status() else ""


def _is_here(dep: Output) -> bool:
    """Whether the files of a dependency are here: those that `dvc add` tracks may not have been pulled."""
    path = Path(dep.def_path)
    return path.exists() and all(file.with_suffix("").exists() for file in path.rglob("*.dvc"))


def stale_rows(domain: str, stage: str | None = None) -> str:
    """What is said of a domain whose data stages, up to `stage`, are not current; empty when they are."""
    until = DATA_STAGES.index(stage) if stage in DATA_STAGES else len(DATA_STAGES)
    shown = [f"{name}@{domain}" for name in DATA_STAGES[: until + 1]]
    stale = stale_stages()
    reasons = [f"{name}: {'; '.join(stale[name])}" for name in shown if name in stale]
    if not reasons:
        return ""
    return f"⚠ these are the rows of an earlier run, {domain} is stale ({reasons[0]}): `dvc repro weight@{domain}`"


def running_lines() -> list[str]:
    """Which DVC commands write results here now, by DVC's own locks: what they make is stale until then."""
    try:
        writers = json.loads(RUNNING.read_text())["write"].values()
        commands = sorted({each["cmd"].rpartition("/")[2] for each in writers if is_alive(each["pid"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # no lock, or one that is being written
        return []
    return [f"`{command}` is running here: what it has not finished is told as stale" for command in commands]


def environment_lines() -> list[str]:
    """Which Python and packages are others than those that made dvc.lock, if any: with others its bytes may differ."""
    found = environment.differences()
    lines = [f"dvc.lock was made in another environment, which may write other bytes: {', '.join(found)}"]
    if any(not each.startswith("python ") for each in found):
        lines.append("  the locked packages: make .venv/ready    those that made it: metrics/environment.json")
    return lines if found else []


def describe(
    domain: str, params: Mapping[str, Any], stale: Mapping[str, list[str]], *, reasons: bool = False
) -> list[str]:
    """The lines of `winnow status`: data, verdict, headline metric with its interval, and what has to run again.

    With `reasons`, also those of the verdict.
    """
    sources = params["ingest"].get("sources")
    data = f"{len(sources)} {'source' if len(sources) == 1 else 'sources'}" if sources else "synthetic data"
    file, headline = Path("metrics", domain, "evaluate.json"), params["evaluate"]["gate"]["headline"]
    judged = read_json(file) if file.exists() else {}
    shown = [f"{headline}{end}" for end in ("", "_low", "_high")]  # of the headline that was judged by
    if {"verdict", *shown} <= judged.keys():
        value, low, high = (judged[name] for name in shown)
        result = f"{judged['verdict']}, {headline} {value:.4g} ({low:.4g} to {high:.4g})"
    else:
        result = "not evaluated"
    own = {name: reasons for name, reasons in stale.items() if name.endswith(f"@{domain}")}
    # what lies in metrics/ may be of other data: it is not told as the result of what is here
    lines = [f"{domain}: stale, {data} (last result: {result})" if own else f"{domain}: {result}, {data}, current"]
    if reasons and (judgement := Path("metrics", domain, JUDGEMENT)).exists():
        lines += ["  reasons of the last result, which is of other data, params or code:"] if own else []
        found = read_json(judgement, "reasons")
        lines += [f"  {reason}" for reason in found["reasons"]]
        lines += [f"  ⚠ it {each}" for each in never_predicted(found)]
        guide = Path("docs", f"{domain}.md")
        if sources and judged.get("verdict") not in PASSED and guide.exists():
            lines.append(f"  what to try next: {guide}, Troubleshooting; what each metric is: docs/glossary.md")
    return lines + [f"  {name}: {'; '.join(changes)}" for name, changes in own.items()]


def as_record(domain: str, params: Mapping[str, Any], stale: Mapping[str, list[str]]) -> dict[str, Any]:
    """What `winnow status --json` tells of a domain: evaluate.json (null before), its sources, and what is stale."""
    file = Path("metrics", domain, "evaluate.json")
    return {
        "evaluate": read_json(file) if file.exists() else None,
        "sources": params["ingest"].get("sources") or [],
        "stale": {name: reasons for name, reasons in stale.items() if name.endswith(f"@{domain}")},
    }
