"""What articles with scores need besides being named, for `winnow init`: a filter that has their dimensions."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from winnow.domains.articles.definitions import RATIONALE, FilterConfig
from winnow.domains.articles.source.filters import FOLDER, known_filters, read_filter
from winnow.domains.articles.source.formats import NotAnArticle, own_scores, scores_of
from winnow.domains.articles.source.rows import is_csv, rows_of
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.recognised import Needs, Setting

SCORED = ("scored", "csv")
"""Formats that can hold scores."""
FIRST = 200
"""Rows that are looked at."""
WITHOUT_SCORES = (
    "texts without scores need a filter of yours (params.yaml, articles.common.definition) and an oracle",
    "(articles.label.oracle; the default, `rules`, is for the embedded data alone): docs/articles.md, Your data",
)
OWN = ("common.definition", "label.use_scores", "label.oracle.provider", "label.oracle.model", "label.oracle.base_url")
"""Settings of a user's own articles, which the preset `default` leaves as they are."""
NAME = re.compile(r"[a-z][a-z0-9_]*")
BANDS = ("low", "middle", "high")
OVERALL = "overall"
"""A dimension of this name is the overall score itself: an answer would else hold two of the name."""
PREFILTER = """\
min_words: 0
max_words: 20000
languages: []
keep: {words: [], patterns: []}
drop: {words: [], patterns: []}
sources: {keep: [], drop: []}
dates: {first: null, last: null}
topic: {on_topic: [the], off_topic: [], enough: 1}
"""
"""Keeps every article; whether it is on-topic matters to the calibration of an oracle alone."""


def needs(sources: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> Needs:
    """The filter that fits the sources' scores, which is written if there is none; and that scores are the labels.

    Only where no oracle of the user's is set up: its answers are compared with the scores.
    """
    paths = [Path(each["path"]) for each in sources if each["format"] in SCORED]
    rows = [row for path in paths for row in islice(_scored(path), FIRST)]
    if not rows:
        is_ready = not sources or params["label"]["oracle"]["provider"] != "rules"
        return Needs() if is_ready else Needs(before=WITHOUT_SCORES)
    current, most = params["common"]["definition"], 1 - params["ingest"]["max_rejected_share"]
    fitting = [(dimensions, name == current, name) for name, dimensions in _fitting(rows, most)]
    files: dict[Path, str] = {}
    if fitting:
        _, _, chosen = max(fitting)
        why = "the filter that has the dimensions and the scale of the scores"
    else:
        chosen, files = _new_filter(paths[0])
        why = "no filter has the dimensions and the scale of the scores, so one is written: look at its config.yaml"
    settings = [] if chosen == current else [Setting("common.definition", chosen, why)]
    told: tuple[str, ...] = ()
    if params["label"]["oracle"]["provider"] == "rules":
        if not params["label"]["use_scores"]:
            settings.append(Setting("label.use_scores", True, "the scores are the labels, and no oracle is asked"))
    elif not params["label"]["use_scores"]:
        told = ("the scores are compared with the oracle's; to learn from them: articles.label.use_scores: true",)
    own = YAML(typ="safe").load(files[FOLDER / chosen / "config.yaml"]) if files else None
    config = FilterConfig.model_validate(own) if own else read_filter(chosen).config
    return Needs(tuple(settings), files, (*told, *_without_scores(sources, config, params)))


def _without_scores(
    sources: Sequence[Mapping[str, Any]], config: FilterConfig, params: Mapping[str, Any]
) -> Iterator[str]:
    """What becomes of the rows whose scores cannot be used, and of those that have none."""
    most, provider = params["ingest"]["max_rejected_share"], params["label"]["oracle"]["provider"]
    for form, path in ((each["format"], Path(each["path"])) for each in sources if each["format"] in SCORED):
        count, odd, empty = 0, list[str](), 0
        for count, row in enumerate(rows_of(form, path), 1):
            if isinstance(row, str):
                continue
            if form == "csv" and not any(name in row for name in config.names):
                empty += 1
                continue
            try:
                scores_of(row, config)
            except NotAnArticle as reason:
                odd.append(f"row {count}: {reason}")
        if odd:
            stops = f"ingest stops (articles.ingest.max_rejected_share: {most:g}): correct or remove them first"
            becomes = stops if len(odd) > most * count else "ingest leaves them out"
            yield f"{len(odd)} of {count} rows of {path.name} have no scores that can be used ({odd[0]}): {becomes}"
        if empty:
            needed = "the label stage needs an oracle for them (articles.label.oracle), or remove them"
            becomes = needed if provider == "rules" else "the oracle is asked about them"
            yield f"{empty} of {count} rows of {path.name} have no score: {becomes}"


def _scored(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a file that have scores."""
    form = "csv" if is_csv(path) else "scored"
    return (row for row in rows_of(form, path) if not isinstance(row, str) and own_scores(row))


def _fitting(rows: Sequence[Mapping[str, Any]], most: float) -> Iterator[tuple[str, int]]:
    """The filters by which at least the share `most` of the rows can be used, and how many dimensions they have."""
    for name in known_filters():
        try:
            config = read_filter(name).config
        except WinnowError:
            continue
        usable = 0
        for row in rows:
            try:
                scores_of(row, config)
            except NotAnArticle:
                continue
            usable += 1
        if usable >= most * len(rows):
            yield name, len(config.names)


def _new_filter(path: Path) -> tuple[str, dict[Path, str]]:
    """A filter for the scores of a file: its name, and its files."""
    scores = [own_scores(row) for row in _scored(path)]
    names = list(dict.fromkeys(name for row in scores for name in row))
    if odd := [name for name in names if not NAME.fullmatch(name) or name == RATIONALE]:
        raise WinnowError(
            f"no filter has the dimensions {', '.join(names)}, and none can: {', '.join(odd)}",
            where=str(path),
            fix="name dimensions with small letters, digits and `_`, and none `rationale`",
        )
    values = [value for row in scores for value in row.values()]
    low, high = math.floor(min(values)), math.ceil(max(values))
    high = high if high > low else low + 1
    name = re.sub(r"[^a-z0-9]+", "_", path.name.lower().partition(".")[0]).strip("_")
    name = name if NAME.fullmatch(name) else f"scores_{name}".strip("_")
    version = 1 + max((int(each.name[1:]) for each in (FOLDER / name).glob("v*") if each.name[1:].isdigit()), default=0)
    ends = [low, *(round(low + (high - low) * part / len(BANDS), 3) for part in (1, 2)), high]
    config = [
        f"# Written by `winnow init` for the scores of {path.name}. data/source/articles/README.md explains every key.",
        f"name: {name}",
        f"version: {version}",
        f"description: The scores of {path.name}.",
        "# the lowest and the highest score of the file, rounded: correct it if the scale is wider",
        f"scale: {{low: {low}, high: {high}}}",
        "dimensions:",
        *(f"- {{name: {each}, description: {low} - lowest; {high} - highest, keywords: []}}" for each in names),
        "# the overall score is the mean of these (or a column of that name); its bands have no effect on the training",
        "tiers:",
        f"  of: [{OVERALL if OVERALL in names else ', '.join(names)}]",
        "  bands:",
        *(
            f"  - {{name: {band}, minimum: {first:g}, maximum: {last:g}}}"
            for band, first, last in zip(BANDS, ends, ends[1:], strict=False)
        ),
        f"analysis_field: {name}_analysis",
    ]
    folder = FOLDER / name / f"v{version}"
    about = f"# {name}\n\nThe scores of {path.name}, as `winnow init` found them. No oracle is asked.\n"
    return f"{name}/v{version}", {
        folder / "config.yaml": "\n".join(config) + "\n",
        folder / "prefilter.yaml": PREFILTER,
        folder / "prompt.md": "Score the article on every dimension.\n",
        folder / "README.md": about,
    }
