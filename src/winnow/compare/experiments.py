"""DVC's experiments side by side: the mean and spread of each setting over its repeated seeds and folds."""

import difflib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from winnow.pipeline.errors import WinnowError
from winnow.pipeline.params import dotted, leaves

REPEATED = ("seed", "train.seed", "split.fold")
"""Params whose values are repetitions of one setting."""


@dataclass(frozen=True)
class Experiment:
    """A finished experiment: its params as dotted keys without the domain's name, and its model's metrics."""

    name: str
    params: Mapping[str, Any]
    verdict: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Setting:
    """The experiments that differ in nothing but repeated params: values by metric, one a run."""

    params: Mapping[str, Any]
    verdicts: Sequence[str]
    values: Mapping[str, Sequence[float]]


def read_experiments(domain: str, commits: int) -> tuple[list[Experiment], list[str]]:
    """The finished experiments of the last `commits` commits, and a line for each that is left out.

    Raises WinnowError when `dvc exp show` fails.
    """
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json", "--num", str(commits)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    if shown.returncode:
        raise WinnowError(f"`dvc exp show` failed: {shown.stderr.strip()}", fix="run it in a clone of the repository")
    found: list[Experiment] = []
    left_out: list[str] = []
    for commit in json.loads(shown.stdout)[1:]:  # the first is the workspace
        start = _evaluated(commit["data"], domain)
        for entry in commit["experiments"] or []:
            state = entry["revs"][0]
            name = entry["name"] or state["rev"][:7]
            params, judged = _params(state["data"], domain), _evaluated(state["data"], domain)
            if (why := _state(entry)) != "success":  # what a failed one shows are the files that it was queued with
                left_out.append(f"{name}: {why}")
            elif judged is None:
                left_out.append(f"{name}: no evaluate.json of this domain")
            elif judged == start and params != _params(commit["data"], domain):
                left_out.append(
                    f"{name}: other params, but evaluate.json of the commit it started from (not evaluated?)"
                )
            else:
                metrics = _numbers(_judgement(state["rev"], domain)) | _numbers(judged)
                found.append(Experiment(name, params, judged["verdict"], metrics))
    return sorted(found, key=lambda experiment: experiment.name), left_out


def summarize(experiments: Sequence[Experiment], metrics: Sequence[str]) -> list[Setting]:
    """Experiments grouped by the params in which they differ, apart from the repeated ones; sorted by them.

    Of several experiments with the same params one counts: an identical repetition says nothing about the spread.
    Raises WinnowError for a metric that an experiment does not have.
    """
    keys = sorted({key for experiment in experiments for key in experiment.params})
    varied = [key for key in keys if len({json.dumps(one.params.get(key)) for one in experiments}) > 1]
    settings = [key for key in varied if key not in REPEATED]
    groups: dict[str, dict[str, Experiment]] = {}
    for one in experiments:
        group = groups.setdefault(json.dumps([one.params.get(key) for key in settings]), {})
        group[json.dumps([one.params.get(key) for key in varied])] = one
    return [
        Setting(
            {key: next(iter(group.values())).params.get(key) for key in settings},
            [one.verdict for one in group.values()],
            {metric: [_metric(one, metric) for one in group.values()] for metric in metrics},
        )
        for group in sorted(groups.values(), key=lambda group: _place(next(iter(group.values())), settings))
    ]


def as_markdown(settings: Sequence[Setting]) -> str:
    """A table: a row for each setting, `mean ± standard deviation` (of the sample) for each metric."""
    first = settings[0]
    rows = [[*first.params, "runs", *first.values, "verdicts"]]
    for setting in settings:
        verdicts = {verdict: setting.verdicts.count(verdict) for verdict in sorted(set(setting.verdicts))}
        rows.append(
            [
                *map(_plain, setting.params.values()),
                str(len(setting.verdicts)),
                *map(_mean_and_spread, setting.values.values()),
                ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()),
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows)


def as_records(settings: Sequence[Setting]) -> list[dict[str, Any]]:
    """The same for programs: unrounded values, one per run, with their mean and standard deviation."""
    return [
        {
            "params": dict(setting.params),
            "verdicts": list(setting.verdicts),
            "metrics": {
                name: {
                    "values": list(values),
                    "mean": fmean(values),
                    "standard_deviation": stdev(values) if len(values) > 1 else None,
                }
                for name, values in setting.values.items()
            },
        }
        for setting in settings
    ]


def _state(entry: Mapping[str, Any]) -> str:
    """Whether an experiment is queued, running or failed, in DVC's word; `success` where it has ended well."""
    return str((entry["executor"] or {}).get("state") or "success")


def _evaluated(data: Mapping[str, Any] | None, domain: str) -> dict[str, Any] | None:
    """What evaluate.json holds, if the commit has one that can be read."""
    files = (data or {}).get("metrics") or {}
    content: dict[str, Any] | None = files.get(f"metrics/{domain}/evaluate.json", {}).get("data")
    return content


def _judgement(rev: str, domain: str) -> dict[str, Any]:
    """All metrics of a commit's model, of which evaluate.json holds the few that DVC compares; none if it has none."""
    command = ["git", "show", f"{rev}:./metrics/{domain}/judgement.json"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    content: dict[str, Any] = json.loads(shown.stdout)["model"] if shown.returncode == 0 else {}
    return content


def _numbers(judged: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in judged.items() if isinstance(value, int | float)}


def _params(data: Mapping[str, Any] | None, domain: str) -> dict[str, Any]:
    """The domain's params and the common seed, as dotted keys."""
    return flat_params(((data or {}).get("params") or {}).get("params.yaml", {}).get("data") or {}, domain)


def flat_params(content: Mapping[str, Any], domain: str) -> dict[str, Any]:
    """The common seed and the domain's section of params.yaml's content, as dotted keys without the domain's name."""
    section = {dotted(place): value for place, value in leaves(content.get(domain) or {})}
    return {"seed": content.get("seed"), **section}


def _metric(experiment: Experiment, name: str) -> float:
    if name not in experiment.metrics:
        near = difflib.get_close_matches(name, experiment.metrics, n=3, cutoff=0.3) or sorted(experiment.metrics)[:8]
        raise WinnowError(f"the experiment {experiment.name} has no metric `{name}`", fix=f"there is {', '.join(near)}")
    return experiment.metrics[name]


def _place(experiment: Experiment, settings: Sequence[str]) -> list[tuple[bool, Any]]:
    """What to sort a setting by: numbers as numbers, everything else as text."""
    values = [experiment.params.get(key) for key in settings]
    return [(False, value) if isinstance(value, int | float) else (True, json.dumps(value)) for value in values]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _mean_and_spread(values: Sequence[float]) -> str:
    text = f"{fmean(values):.3f}"
    return f"{text} ± {stdev(values):.3f}" if len(values) > 1 else text
