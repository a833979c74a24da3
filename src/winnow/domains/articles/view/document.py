"""The training report as a Word document: summary, method, results with the figures, conclusion."""

from pathlib import Path
from typing import Any, NamedTuple

import docx
import pandas as pd
from docx.document import Document
from docx.shared import Inches

from winnow.domains.articles.definitions import FilterConfig, read_config
from winnow.domains.articles.tables import PerDimension
from winnow.pipeline.errors import TableError
from winnow.pipeline.files import atomic_path, read_json
from winnow.pipeline.tables import read_table
from winnow.pipeline.text import shown

DATA, METRICS = Path("data", "articles"), Path("metrics", "articles")
FIGURES = {
    "overall_metrics": "Errors by epoch",
    "per_dimension_mae": "Validation error of each dimension by epoch",
    "loss_curves": "Loss by epoch",
}


class Results(NamedTuple):
    """What the stages left."""

    config: FilterConfig
    judgement: dict[str, Any]
    training: dict[str, Any]
    dimensions: pd.DataFrame
    figures: dict[str, Path]


def read_results() -> Results:
    """Raises TableError when a stage has not run."""
    files = {
        "judgement": METRICS / "judgement.json",
        "training": DATA / "train" / "model" / "training_metadata.json",
        **{name: DATA / "plot" / f"{name}.png" for name in FIGURES},
    }
    for file in files.values():
        if not file.exists():
            raise TableError(f"{file} does not exist", fix="run `dvc repro plot@articles` first")
    return Results(
        read_config(DATA / "ingest" / "config.json"),
        read_json(files["judgement"], "verdict", "rows_test", "model"),
        read_json(files["training"]),
        read_table(DATA / "evaluate" / "per_dimension.parquet", PerDimension),
        {name: files[name] for name in FIGURES},
    )


def write_document(found: Results, path: Path) -> None:
    """Write the document atomically."""
    document: Document = docx.Document()
    config, model = found.config, found.judgement["model"]
    document.add_heading(shown(f"Training report: {config.name} v{config.version}"), 0)
    document.add_heading("Executive summary", 1)
    document.add_paragraph("\n".join(map(shown, config.description.splitlines())))
    document.add_paragraph(
        f"Verdict: {found.judgement['verdict']}. On {found.judgement['rows_test']} test articles the mean absolute "
        f"error is {model['mae']:.3f} points on a scale of {config.scale.low:g} to {config.scale.high:g}, and "
        f"{model['within_one_accuracy']:.0%} of the scores lie within 1 point of the labels."
    )
    document.add_heading("Method", 1)
    configuration, rows = found.training["configuration"], found.training["rows"]
    document.add_paragraph(
        f"{configuration['model_name']} with a linear head of {len(config.dimensions)} outputs, trained with the loss "
        f"{configuration['loss']} on {rows['train']} articles for up to {configuration['epochs']} epochs (batch size "
        f"{configuration['batch_size']}, learning rate {configuration['learning_rate']:g}, at most "
        f"{configuration['max_length']} tokens). The weights of epoch {found.training['best_epoch']} were chosen on "
        f"{rows['val']} validation articles (MAE {found.training['best_val_mae']:.3f})."
    )
    if ridge := found.training.get("ridge"):
        document.add_paragraph(
            f"The network's scores are averaged with those of ridge regression on TF-IDF, whose share of "
            f"{ridge['share']:.0%} was chosen on validation articles (MAE then {ridge['mixture_val_mae']:.3f})."
        )
    document.add_heading("Results", 1)
    _table(document, found.judgement)
    _dimensions(document, found.dimensions)
    for name, caption in FIGURES.items():
        document.add_picture(str(found.figures[name]), width=Inches(6.0))
        document.add_paragraph(caption, style="Caption")
    document.add_heading("Conclusion", 1)
    for reason in found.judgement["reasons"]:
        document.add_paragraph(shown(reason), style="List Bullet")
    with atomic_path(path) as scratch:
        document.save(str(scratch))


def _table(document: Document, judgement: dict[str, Any]) -> None:
    baselines = sorted(judgement["baseline"])
    table = document.add_table(rows=1, cols=2 + len(baselines), style="Light Grid Accent 1")
    for cell, text in zip(table.rows[0].cells, ["metric", "model", *baselines], strict=True):
        cell.text = text
    for name, value in sorted(judgement["model"].items()):
        others = (judgement["baseline"][each].get(name) for each in baselines)
        texts = [name, f"{value:.3f}", *("" if other is None else f"{other:.3f}" for other in others)]
        for cell, text in zip(table.add_row().cells, texts, strict=True):
            cell.text = text


def _dimensions(document: Document, dimensions: pd.DataFrame) -> None:
    document.add_heading("By dimension", 2)
    table = document.add_table(rows=1, cols=4, style="Light Grid Accent 1")
    for cell, text in zip(table.rows[0].cells, ("dimension", "MAE", "RMSE", "skill"), strict=True):
        cell.text = text
    for row in dimensions.to_dict("records"):
        skill = "constant" if pd.isna(row["skill"]) else f"{row['skill']:+.3f}"
        texts = (row["dimension"], f"{row['mae']:.3f}", f"{row['rmse']:.3f}", skill)
        for cell, text in zip(table.add_row().cells, texts, strict=True):
            cell.text = shown(text)
