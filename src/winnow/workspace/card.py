"""The card of a checkout's trained model: data, training, metrics beside baselines, limits, use, licence.

It is written where the verdict is put beside the model (`winnow export DOMAIN model`, `winnow publish`), because the
figures are known only after evaluate.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from winnow.compare.markdown import details, plain, table
from winnow.domains.load import has_module, load
from winnow.judge.baselines import strongest
from winnow.learn.card import Description
from winnow.learn.folder import find_judgement, model_folder, never_predicted
from winnow.measure.direction import higher_is_better
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import JUDGEMENT, read_json
from winnow.pipeline.params import Document

MANY = 5
"""Baselines in the first table; the strongest comes first."""


def model_card(domain: str) -> str:
    """The card of this checkout's model as README.md with YAML metadata, as the Hugging Face hub reads it.

    Raises WinnowError when the model was not evaluated, or is another one than evaluate has judged.
    """
    folder, metrics = model_folder(domain), Path("metrics", domain)
    evaluate = f"dvc repro evaluate@{domain}"
    summary = read_json(metrics / "evaluate.json", "verdict", made_by=evaluate)
    judgement = find_judgement(domain, folder, Path())
    if judgement is None:
        raise WinnowError("the model is not the one that was evaluated last", where=str(folder), fix=evaluate)
    about: Description = load(domain, "card").CARD if has_module(domain, "card") else _unknown(domain)
    sources = _sources(domain)
    never = [f"It {each}." for each in never_predicted(judgement)]
    embedded = not sources
    headline = next(name.removesuffix("_baseline") for name in summary if name.endswith("_baseline"))
    decisive = [headline, *(name for name in summary if name != headline and name in judgement["model"])]
    blocks = [
        f"# {about.title}",
        about.task,
        f"Verdict of its evaluation: **{judgement['verdict']}**, for {_plain_reason(_reason(judgement))}.",
        "\n".join(["## Data", "", _data(about, metrics, sources)]),
        "\n".join(
            [
                "## Training",
                "",
                *(f"- {line}" for line in [*about.about(folder), *_trained(folder)]),
            ]
        ),
        "\n".join(["## Test results", "", _results(judgement, headline, decisive)]),
        details("All test metrics", _all_metrics(judgement)),
        "\n".join(["## Reasons of the verdict", "", *(f"- {_plain_reason(each)}" for each in judgement["reasons"])]),
        "\n".join(["## Use", "", about.use, "", *_commands(domain, folder, about)]),
        "\n".join(["## Limits", "", *(f"- {line}" for line in [*about.limits, *never])]),
        "\n".join(["## Licence", "", _licence(embedded=embedded)]),
    ]
    metadata = _metadata(domain, about, folder, judgement, decisive, embedded=embedded)
    return f"---\n{metadata}\n---\n\n" + "\n\n".join(blocks) + "\n"


def _reason(judgement: Mapping[str, Any]) -> str:
    """What decided: the first reason, without its word."""
    return str(judgement["reasons"][0]).partition(": ")[2].rstrip(".")


def _plain_reason(reason: str) -> str:
    """A reason as Markdown; it quotes names as code, and that mark would be escaped into a visible backslash."""
    return plain(reason.replace("`", ""))


def _trained(folder: Path) -> list[str]:
    """What the training's own README says of its settings and of when it stopped."""
    found = re.search(r"^## Training\n\n(.+)$", _readme(folder), re.MULTILINE)
    return [found.group(1)] if found else []


def _readme(folder: Path) -> str:
    """The README that training wrote into the model's folder."""
    readme = folder / "README.md"
    return readme.read_text(encoding="utf-8") if readme.is_file() else ""


def _metadata(
    domain: str, about: Description, folder: Path, judgement: Mapping[str, Any], decisive: list[str], *, embedded: bool
) -> str:
    results = [
        EvalResult(
            task_type=about.pipeline or "other",
            dataset_type=f"winnow-{domain}",
            dataset_name="embedded synthetic data" if embedded else "own data",
            dataset_split="test",
            metric_type=name,
            metric_value=judgement["model"][name],
        )
        for name in decisive
    ]
    data = ModelCardData(
        library_name="winnow",
        license="apache-2.0" if embedded else "other",
        license_name=None if embedded else "licence-of-the-training-data",
        pipeline_tag=about.pipeline,
        tags=[f"winnow-{domain}", *about.tags],
        base_model=about.base_model(folder),
        model_name=about.title,
        eval_results=results,
    )
    return str(data.to_yaml()).strip()


def _data(about: Description, metrics: Path, sources: Sequence[Mapping[str, Any]]) -> str:
    if not sources:
        lines = [f"Embedded synthetic data: {about.synthetic}. The figures say nothing about real {about.row}."]
    else:
        named = [f"{plain(Path(str(each['path'])).name)} ({plain(each['format'])})" for each in sources]
        lines = [f"Sources: {', '.join(named)}."]
    rows = []
    for stage in ("ingest", "filter", "label", "split"):
        if (metrics / f"{stage}.json").is_file():
            counts = read_json(metrics / f"{stage}.json")
            parts = [f"{name.removeprefix('rows_')} {counts[name]:,}" for name in counts if name.startswith("rows_")]
            rows.append([stage, ", ".join(parts)])
    return "\n\n".join([*lines, table(["stage", f"rows ({about.row})"], rows)])


def _results(judgement: Mapping[str, Any], headline: str, decisive: list[str]) -> str:
    """Of each metric that decides: the value with its interval, and the baselines', the strongest first."""
    baselines = judgement["baseline"]
    best = strongest(baselines, headline)
    others = sorted(
        (name for name in baselines if name != best and headline in baselines[name]),
        key=lambda name: baselines[name][headline],
        reverse=higher_is_better(headline),
    )
    shown = [best, *others][:MANY]
    rows = [
        [name, _with_interval(judgement, name), *(_number(baselines[each].get(name)) for each in shown)]
        for name in decisive
    ]
    left = len(baselines) - len(shown)
    rest = f"\n\nBaselines that are not shown here ({left}) are in `{JUDGEMENT}`." if left else ""
    return table(["metric", "model (confidence interval)", *(plain(each) for each in shown)], rows) + rest


def _all_metrics(judgement: Mapping[str, Any]) -> str:
    rows = [[name, f"{value:.4f}", _interval(judgement, name)] for name, value in sorted(judgement["model"].items())]
    return table(["metric", "test", "confidence interval"], rows)


def _with_interval(judgement: Mapping[str, Any], name: str) -> str:
    return f"{_number(judgement['model'][name])} {_interval(judgement, name)}".strip()


def _interval(judgement: Mapping[str, Any], name: str) -> str:
    bounds = judgement["interval"].get(name)
    return f"({bounds['low']:.4g} to {bounds['high']:.4g})" if bounds else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _commands(domain: str, folder: Path, about: Description) -> list[str]:
    """With a checkout and without one; the example is the one that training wrote into the folder, with known names."""
    example = re.search(rf"winnow {domain} .+(?= --model \.)", _readme(folder))
    command = example.group() if example else f"winnow {domain} --help"
    names = iter(about.known(folder))
    command = re.sub(r"[A-Z]{2,}( – [A-Z]{2,})?", lambda word: next(names, word.group()), command)
    takes_file = re.search(r"\w\.\w", command)
    sent = about.sent or (f"what `winnow {domain} --help` says" if takes_file else "")
    return [
        *([f"The file of these commands is yours: {sent}.", ""] if sent else []),
        "Without a checkout, in this folder, with winnow installed:",
        "",
        f"    {command} --model .",
        f"    winnow serve {domain} --model .    # a page to try it, and a JSON API",
        "",
        "In the checkout that trained it:",
        "",
        f"    {command}",
        f"    winnow serve {domain}",
    ]


def _licence(*, embedded: bool) -> str:
    if embedded:
        return "Apache-2.0, as winnow; the training data are generated by it."
    return "winnow is Apache-2.0. The weights come from other data: their licence decides what may be done with them."


def _sources(domain: str) -> list[dict[str, Any]]:
    """The sources with which ingest ran, by dvc.lock; none for the embedded data."""
    lock = Path("dvc.lock")
    stages = Document(lock).content["stages"] if lock.is_file() else {}
    params = stages.get(f"ingest@{domain}", {}).get("params", {}).get("params.yaml", {})
    found: list[dict[str, Any]] = params.get(f"{domain}.ingest", {}).get("sources") or []
    return found


def _unknown(domain: str) -> Description:
    return Description(
        title=f"winnow {domain}",
        task=f"A model of the domain {domain}.",
        use=f"See docs/{domain}.md.",
        limits=("It was tested on data like those that it was trained on, and on no others.",),
        row="rows",
        synthetic="generated from a seed",
    )
