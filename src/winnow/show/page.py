"""The page of a domain, `report.html`, which every plot stage writes: one file, without a script or anything to load.

`winnow board` joins the pages of several domains to one.
"""

import base64
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import pandas as pd
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from PIL import Image

from winnow.judge.baselines import strongest
from winnow.judge.slices import Slices
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import JUDGEMENT, read_json, write_text
from winnow.pipeline.stage import Stage
from winnow.pipeline.tables import read_table
from winnow.show.figures import save_png
from winnow.show.settings import Drawing
from winnow.show.template import ARTICLE, PAGE, STYLE
from winnow.workspace.rows import case_line, parts_line, rows_of

REPORT = "report.html"
COLOURS, SMALL = 64, 20_000
"""Of a picture in the page of more than so many pixels: enough for charts and heat maps, at a third of the size."""
TONES = {"REVIEW": "unsure", "FAIL": "bad"}
"""The classes of the verdicts that are not a domain's best."""
JUDGED = ("verdict", "reasons", "conditions", "sentence", "model", "interval", "baseline")
CONTROLS = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"} | {127: "\u2421"}
"""Control characters, such as a terminal's escape, and the symbols that are shown in their place."""


class Picture(NamedTuple):
    """A chart of the page; its file is named after it."""

    figure: Figure
    caption: str
    """What it shows: every mark that its legend does not explain. The first sentence is also read out in its place."""


class Table(NamedTuple):
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


class Example(NamedTuple):
    """Something to look at: a case with the model's answer."""

    title: str
    pictures: Sequence[tuple[Image.Image, str]] = ()
    """each with the text that is read out in its place"""
    lines: Sequence[str] = ()
    table: Table | None = None


def draw(
    stage: Stage[Any, Any],
    *,
    training: Mapping[str, Picture],
    results: Mapping[str, Picture],
    sheets: Mapping[str, Figure] | None = None,
    examples: Sequence[Example] = (),
    about: str = "",
    notes: Sequence[str] = (),
) -> None:
    """Write the plot stage's pictures as `<name>.png`, and the domain's page with them.

    `training` and `results` (on the test split) are shown in the page; `sheets` are files only, because the page has
    their content as `examples`, below a sentence `about` them; `notes` stand below the verdict.

    Raises WinnowError when evaluate has not run.
    """
    params: Drawing = stage.params
    figures = {name: each.figure for name, each in {**training, **results}.items()} | dict(sheets or {})
    for name, figure in figures.items():
        save_png(figure, stage.output(f"{name}.png"), params.dpi)

    def shown(pictures: Mapping[str, Picture]) -> list[dict[str, Any]]:
        files = {name: Image.open(stage.output(f"{name}.png")) for name in pictures}
        return [
            {"name": name.replace("_", " "), "caption": pictures[name].caption}
            | embedded(image, pictures[name].caption.partition(". ")[0])
            for name, image in files.items()
        ]

    judgement = Path("metrics", stage.domain, JUDGEMENT)
    article = (
        _environment()
        .from_string(ARTICLE)
        .render(
            domain=stage.domain,
            digest=digest(stage.domain),
            notes=notes,
            training=shown(training),
            results=shown(results),
            examples=[
                each._asdict() | {"pictures": [embedded(image, alt) for image, alt in each.pictures]}
                for each in examples
            ],
            about=about,
            **_judged(read_json(judgement, *JUDGED)),
            **_rows(stage.domain),
            slices=list(_slices(Path("data", stage.domain, "evaluate"))),
            tone=TONES,
        )
    )
    write_text(stage.output(REPORT), page(f"winnow: {stage.domain}", {stage.domain: article}))


def page(title: str, articles: Mapping[str, str], rows: Sequence[Sequence[str]] = (), notes: Sequence[str] = ()) -> str:
    """A page of the articles of some domains, below a table whose first row is its header."""
    parts = [Markup(each) for each in articles.values()]  # noqa: S704 - rendered by `draw`, which escapes
    template = _environment().from_string(PAGE)
    style = Markup(STYLE)  # noqa: S704
    return template.render(title=title, style=style, names=list(articles), rows=rows, notes=notes, articles=parts)


def article_of(domain: str) -> str:
    """The domain's article in its page; raises WinnowError when the plot stage has not written one."""
    file = Path("data", domain, "plot", REPORT)
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    start, end = text.find("<article "), text.find("</article>")
    if start < 0 or end < 0:
        fix = f"`dvc repro plot@{domain}` writes it, `dvc checkout plot@{domain}` brings it back"
        raise WinnowError(f"there is no page of {domain}", where=str(file), fix=fix)
    return text[start:end] + "</article>"


def digest(domain: str) -> str:
    """Of the domain's results, by which a page of other ones is known."""
    judgement = Path("metrics", domain, JUDGEMENT)
    return hashlib.sha256(judgement.read_bytes()).hexdigest()[:16] if judgement.is_file() else ""


def embedded(image: Image.Image, alt: str) -> dict[str, Any]:
    """The picture in the page itself, as PNG with few colours, without a date."""
    out = io.BytesIO()
    plain = image.convert("RGB")
    small = image.width * image.height <= SMALL
    (plain if small else plain.quantize(COLOURS, dither=Image.Dither.NONE)).save(out, "PNG", optimize=True)
    data = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    return {"data": data, "width": image.width, "height": image.height, "alt": alt}


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, finalize=_visible
    )
    made.filters["code"] = _code
    return made


def _visible(value: Any) -> Any:
    """Text with symbols in place of control characters, which HTML does not hold."""
    return value.translate(CONTROLS) if isinstance(value, str) and not isinstance(value, Markup) else value


def _code(text: str) -> Markup:
    """Escaped text whose names in backticks are marked up as code."""
    parts = [escape(_visible(each)) for each in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 and index < len(parts) - 1 else part
        for index, part in enumerate(parts)
    )


def _judged(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the article says of judgement.json."""
    counts = {name.removesuffix("_test"): n for name, n in sorted(found.items()) if name.endswith("_test")}
    conditions = [each | _measured(each["metric"], found) for each in found["conditions"]]
    decisive = {each["metric"] for each in conditions}
    others = [_measured(name, found) for name in sorted(found["model"]) if name not in decisive]
    return {
        "verdict": found["verdict"],
        "sentence": found["sentence"],
        "reasons": found["reasons"],
        "measured": ", ".join(f"{n:,} test {name}" for name, n in counts.items()) or "the test rows",
        "conditions": conditions,
        "others": [[each["metric"], each["value"], each["baseline"]] for each in others],
        "references": _references(found),
    }


def _references(found: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The table of what was measured beside the model and is no rival, such as real routes; empty without any."""
    columns = {"model": found["model"]} | {name.replace("_", " "): own for name, own in found["reference"].items()}
    metrics = sorted({metric for name, own in columns.items() if name != "model" for metric in own})
    rows = [
        [metric, *("" if (value := own.get(metric)) is None else f"{value:.4g}" for own in columns.values())]
        for metric in metrics
    ]
    return {"head": ["metric", *columns], "rows": rows}


def _measured(metric: str, found: Mapping[str, Any]) -> dict[str, str]:
    """A metric's value with its interval, and the baseline that is best in it; empty texts where there is none."""
    value, bounds = found["model"].get(metric), found["interval"].get(metric)
    text = "cannot be measured" if value is None else f"{value:.4g}"
    if value is not None and bounds:
        text = f"{value:.4g} ({bounds['low']:.4g} to {bounds['high']:.4g})"
    rivals = {name: values for name, values in found["baseline"].items() if metric in values}
    best = strongest(rivals, metric) if rivals else None
    return {"metric": metric, "value": text, "baseline": f"{best} {rivals[best][metric]:.4g}" if best else ""}


def _rows(domain: str) -> dict[str, Any]:
    """The article's tables of what the data stages did, as `winnow rows` tells it."""
    found = rows_of(domain)
    counts = {stage: each["rows"] for stage, each in found.items() if each["rows"] is not None}
    return {
        "stages": [[stage, f"{own['in']:,}", parts_line(own)] for stage, own in counts.items()],
        "left_out": [
            {"stage": stage, "reason": entry["reason"], "rows": f"{entry['rows']:,}"}
            | {"first": [case_line(case) for case in entry["first"]]}
            for stage, each in found.items()
            for entry in each["left_out"] or []
        ],
        "overlaps": [pair["told"] for each in found.values() for pair in each.get("overlaps", [])],
    }


def _slices(folder: Path) -> Iterator[dict[str, Any]]:
    """One table for each column by which evaluate has sliced the test rows, in its order."""
    for file in sorted(folder.glob("*slices.parquet"), key=lambda file: (len(file.name), file.name)):
        table = read_table(file, Slices)
        for by, part in table.groupby("by", sort=False):
            wide = part.pivot_table(index=["value", "rows"], columns="metric", values="score", sort=False)
            rows = [
                [str(value), f"{count:,}", *("" if pd.isna(score) else f"{score:.4g}" for score in scores)]
                for (value, count), scores in zip(wide.index, wide.to_numpy(), strict=True)
            ]
            yield {"by": str(by).replace("_", " "), "head": ["value", "rows", *wide.columns], "rows": rows}
