"""The report of a pull request: what two revisions' results differ in, as Markdown for CML and the terminal."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from winnow.compare.differences import BETTER, WORSE, Comparison, Difference, compare, decide
from winnow.compare.figures import write_figures
from winnow.compare.markdown import details, plain, table
from winnow.compare.revisions import Revision
from winnow.measure.direction import higher_is_better
from winnow.pipeline import environment
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.ledger import latest_seconds
from winnow.pipeline.params import STAGES, dotted, leaves

MARKS = {
    "better": "🟢 better",
    "worse": "🔴 worse",
    "unchanged": "unchanged",
    "not distinguishable": "⚪ not distinguishable",
}
WORST_SLICES = 3


def as_records(before: Revision, after: Revision, domain: str | None = None) -> dict[str, Any]:
    """What the report says of each domain of `after`, or of one, for programs.

    Differences are decided over all domains, as in the report, whichever is asked for.
    """
    locks = before.locked_stages(), after.locked_stages()
    params = before.yaml("params.yaml"), after.yaml("params.yaml")
    compared = decide(compare(each, before, after) for each in params[1].get("domains", []))
    return {
        "before": before.title,
        "after": after.title,
        "domains": {
            one.domain: {
                "verdict": dict(zip(("before", "after"), one.verdicts, strict=True)),
                "headline": {
                    when: each and each._asdict() for when, each in zip(("before", "after"), one.headlines, strict=True)
                },
                "differences": [_record(each) for each in one.differences],
                "notes": list(one.notes),
                "other_data": one.other_data,
                "stages_run": stages_run(one.domain, *locks),
                "params": _both(changed_params(*(each.get(one.domain) or {} for each in params))),
            }
            for one in compared
            if domain in (None, one.domain)
        },
        "removed": _removed(*params, domain),
        "environment": _both(_environments(before, after)),
    }


def _both(changed: Mapping[str, tuple[Any, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {"before": old, "after": new} for name, (old, new) in changed.items()}


def _removed(before: Mapping[str, Any], after: Mapping[str, Any], domain: str | None) -> list[str]:
    """The domains that only the earlier revision has, by the params of both; or of these `domain` alone.

    Raises WinnowError when neither has that domain.
    """
    earlier, later = (each.get("domains", []) for each in (before, after))
    if domain not in (None, *earlier, *later):
        raise WinnowError(f"neither revision runs {domain}", where="params.yaml: domains", fix="leave out --domain")
    return [each for each in earlier if each not in later and domain in (None, each)]


def _environments(before: Revision, after: Revision) -> dict[str, tuple[Any, Any]]:
    """The versions of Python and packages that made the results, where both revisions know them and they differ."""
    first, second = (each.json(environment.FILE.as_posix()) for each in (before, after))
    return changed_params(first, second) if first and second else {}


def _record(each: Difference) -> dict[str, Any]:
    bounds = None if each.interval is None else {"low": each.interval.low, "high": each.interval.high}
    kept = ("metric", "before", "after", "decision", "p_value", "paired", "detectable")
    return {name: getattr(each, name) for name in kept} | {"change": each.after - each.before, "interval": bounds}


def write_report(
    before: Revision,
    after: Revision,
    stale: Mapping[str, Sequence[str]] | None,
    folder: Path | None = None,
    domain: str | None = None,
) -> str:
    """The report over all domains of `after`, or about one of them, as Markdown.

    `stale` is what `workspace.status.stale_stages` gives, None if unknown. With `folder`, figures before and after are
    written there, and the Markdown shows them by paths relative to it.
    """
    locks = before.locked_stages(), after.locked_stages()
    params = before.yaml("params.yaml"), after.yaml("params.yaml")
    earlier, domains = (each.get("domains", []) for each in params)
    removed = _removed(*params, domain)
    decided = decide(compare(each, before, after) for each in domains)
    compared = [one for one in decided if domain in (None, one.domain)]
    head = f"**winnow**: {plain(after.title)} compared with {plain(before.title)}"
    if stale is not None:
        head += f" · dvc.lock is {_stale_by_domain(stale) if stale else 'current'}"
    seconds = latest_seconds() if after.name is None else {}
    rows = [_line(one, one.domain in earlier, stages_run(one.domain, *locks), seconds) for one in compared]
    rows += [[plain(each), "**removed**", "", "", ""] for each in removed]
    parts = [head, table(["domain", "verdict", "headline metric", "change", "stages run"], rows)]
    if others := _environments(before, after):
        told = [f"{name} {old or '(none)'} → {new or '(none)'}" for name, (old, new) in others.items()]
        parts.append(f"_made with other versions, so bytes may differ: {plain(', '.join(told))}_")
    parts += _params_table(
        *({name: each[name] for name in each if name not in (*earlier, *domains)} for each in params)
    )
    for one in compared:
        results_changed = stages_run(one.domain, *locks) or one.verdicts[0] != one.verdicts[1]
        body = list(_details(one, after)) if results_changed or one.notes else []
        body += _params_table(*(each.get(one.domain) or {} for each in params))
        if results_changed and folder is not None:
            body += write_figures(one.domain, before, after, folder)
        if body:
            parts.append(details(f"<b>{plain(one.domain)}</b>", "\n\n".join(body)))
    return "\n\n".join(parts) + "\n"


def _stale_by_domain(stages: Iterable[str]) -> str:
    """The stale stages of each domain, in their order: `**stale**: climb (train, evaluate)`; then imported files."""
    found: dict[str, list[str]] = {}
    known = [name for name in stages if name.partition("@")[0] in STAGES]
    for name in sorted(known, key=lambda name: STAGES.index(name.partition("@")[0])):
        found.setdefault(name.partition("@")[2], []).append(name.partition("@")[0])
    listed = {domain: ", ".join(names) if len(names) < len(STAGES) else "all stages" for domain, names in found.items()}
    imported = sorted(plain(name) for name in stages if name not in known)  # such as data/source/climb/x.csv.dvc
    return "**stale**: " + ", ".join([*(f"{plain(domain)} ({listed[domain]})" for domain in sorted(found)), *imported])


def stages_run(domain: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The domain's stages whose entry in dvc.lock is another, in their order."""
    return [name for name in STAGES if before.get(f"{name}@{domain}") != after.get(f"{name}@{domain}")]


def _line(one: Comparison, was_there: bool, run: Sequence[str], seconds: Mapping[str, float]) -> list[str]:
    """The row of a domain: what a reviewer sees before anything is unfolded; a stage's time where it is known.

    `was_there`: whether the earlier revision names the domain, evaluated or not.
    """
    times = {name: seconds.get(f"{name}@{one.domain}") for name in run}
    stages = ", ".join(name if taken is None else f"{name} {taken:.0f} s" for name, taken in times.items()) or "none"
    first, second = one.verdicts
    verdict = plain(second) if first == second else f"{plain(first)} → **{plain(second)}**"
    changes = {each.metric: each for each in one.differences}
    old, new = one.headlines
    value = "" if new is None else f"{plain(new.metric)} {new.value:.4g}"
    mark = ""
    if old is None and was_there:
        value = f"not evaluated → {value}" if value else ""
    elif old is None:
        verdict = plain(second)
        mark = "" if new is None else "**new**"
    elif new is None or new.metric != old.metric:
        value = f"{plain(old.metric)} {old.value:.4g} → {value or 'not evaluated'}"
        mark = "" if new is None else "another headline metric"
    elif headline := changes.get(new.metric):
        value = f"{plain(new.metric)} {old.value:.4g} → {new.value:.4g}" if old != new else value
        mark = _mark(headline)
    worse = [name for name, each in changes.items() if each.decision == WORSE and (new is None or name != new.metric)]
    mark += f", {len(worse)} other metric(s) worse" if worse else ""
    mark += ", other data" if one.other_data and one.differences else ""
    if first != second and old and new and not any(each.decision in (BETTER, WORSE) for each in one.differences):
        mark += "; no change behind the verdict is distinguishable"
    return [plain(one.domain), verdict, value, mark, stages]


def _mark(each: Difference) -> str:
    """The decision about a metric; what could not be told, and which size of a change could have been."""
    told = MARKS[each.decision] + ("" if each.paired else ", unpaired")
    return told if each.detectable is None else f"{told} (detectable: {each.detectable:.2g})"


def _details(one: Comparison, after: Revision) -> Iterator[str]:
    """What is folded away for a domain in which something changed."""
    if one.differences:
        header = ["metric", "before", "after", "change (95%)", ""]
        yield table(header, [_row(each) for each in one.differences])
    yield from (f"_{plain(note)}_" for note in one.notes)
    reasons = after.json(f"metrics/{one.domain}/judgement.json").get("reasons", [])
    if reasons:
        yield "\n".join(f"- {plain(reason)}" for reason in reasons)
    worst = _worst_slices(one, after)
    if worst:
        yield "Worst parts of the test set:\n\n" + table(["part", "rows", "metric", "value"], worst)


def _params_table(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The params that changed, as a table; nothing when none did."""
    rows = [[plain(name), *map(_value, values)] for name, values in changed_params(before, after).items()]
    return [table(["param", "before", "after"], rows)] if rows else []


def _row(each: Difference) -> list[str]:
    apart = each.after - each.before
    bounds = f"{apart:+.3g}"
    if each.interval is not None and apart:
        bounds += f" ({each.interval.low:+.3g} to {each.interval.high:+.3g})"
    return [
        plain(each.metric),
        f"{each.before:.4g}",
        f"{each.after:.4g}",
        bounds if apart else "",
        _mark(each),
    ]


def _worst_slices(one: Comparison, after: Revision) -> list[list[str]]:
    """The parts of the test set with the worst value of the first metric that slices are measured by."""
    slices = after.table(f"data/{one.domain}/evaluate/slices.parquet")
    if slices is None:
        return []
    names = [each.metric for each in one.differences if each.metric in set(slices["metric"])]
    if not names:
        return []
    up = higher_is_better(names[0])
    worst = slices[slices["metric"] == names[0]].sort_values("score", ascending=up, kind="stable").head(WORST_SLICES)
    return [
        [f"{plain(part['by'])} {plain(part['value'])}", str(part["rows"]), plain(names[0]), f"{part['score']:.4g}"]
        for part in worst.to_dict("records")
    ]


def changed_params(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The params with another value, by dotted name, sorted; a param that one side lacks is None there."""
    first, second = ({dotted(place): value for place, value in leaves(each)} for each in (before, after))
    names = sorted({*first, *second})
    return {name: (first.get(name), second.get(name)) for name in names if first.get(name) != second.get(name)}


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)  # YAML knows dates
    return text if isinstance(value, int | float) else plain(text)
