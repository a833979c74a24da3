"""What a model card says of a scorer of articles."""

from pathlib import Path
from typing import Any

from winnow.learn.card import Description
from winnow.pipeline.files import read_json


def _about(folder: Path) -> list[str]:
    scoring = read_json(folder / "config.json", "scoring")["scoring"]
    training = _training(folder)
    base, length = training["configuration"]["model_name"], training["configuration"]["max_length"]
    ridge = training.get("ridge")
    mixture = f"; averaged with ridge regression on TF-IDF (share {ridge['share']:.0%})" if ridge else ""
    scale = f"{scoring['low']:g} to {scoring['high']:g}"
    return [
        f"filter {training['filter']}: scores from {scale} on {', '.join(scoring['dimensions'])}",
        f"base: {base}, at most {length} tokens{mixture}",
        f"trained on {training['rows']['train']} labelled articles",
    ]


def _base_model(folder: Path) -> str | None:
    base = str(_training(folder)["configuration"]["model_name"])
    return base if "/" in base and not base.startswith("data/") else None


def _training(folder: Path) -> dict[str, Any]:
    return read_json(folder / "training_metadata.json", "configuration", "filter", "rows")


CARD = Description(
    title="winnow articles: scores of news articles",
    task="From an article to a score on each of a filter's dimensions, and the tier that follows.",
    use="To sort many articles by what a prompt asked of a few of them, without asking an oracle again.",
    limits=(
        "It imitates the labels that it was trained on, with their faults; an oracle's are a language model's opinion.",
        "Its network reads the beginning of long articles only, up to its number of tokens.",
        "Languages, times and sources that the training articles lack may be scored wrongly.",
    ),
    sent='one JSON object a line: `{"id": "1", "title": "…", "content": "…"}`',
    row="articles",
    synthetic="articles composed of drawn sentences, labelled by rules",
    tags=("regression", "distillation"),
    pipeline="text-classification",
    about=_about,
    base_model=_base_model,
)
