"""The model card of a trained scorer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from winnow.pipeline.files import read_json

MODEL, JUDGEMENT = Path("data", "articles", "train", "model"), Path("metrics", "articles", "judgement.json")
EVALUATE = "dvc repro evaluate@articles"


def model_card() -> str:
    """The card, with the test figures; raises WinnowError when the model was not evaluated."""
    scoring = read_json(MODEL / "config.json", "scoring", made_by=EVALUATE)["scoring"]
    training = read_json(MODEL / "training_metadata.json", made_by=EVALUATE)
    judgement = read_json(JUDGEMENT, "verdict", "rows_test", "model", made_by=EVALUATE)
    base = training["configuration"]["model_name"]
    metrics = "\n".join(f"| {name} | {value:.4f} |" for name, value in sorted(judgement["model"].items()))
    on_hub = "/" in base and not base.startswith("data/")
    return (
        "---\n"
        "library_name: winnow\n"
        "pipeline_tag: text-classification\n"
        "tags: [regression, distillation]\n" + (f"base_model: {base}\n" if on_hub else "") + "---\n\n"
        f"# {training['filter']}\n\n"
        f"Scores articles from {scoring['low']:g} to {scoring['high']:g} on: {', '.join(scoring['dimensions'])}.\n\n"
        f"Base: {base}, at most {training['configuration']['max_length']} tokens{_mixture(training)}. Trained on "
        f"{training['rows']['train']} labelled articles; verdict on {judgement['rows_test']} test "
        f"articles: {judgement['verdict']}.\n\n"
        f"| metric | test |\n|---|---|\n{metrics}\n"
    )


def _mixture(training: Mapping[str, Any]) -> str:
    ridge = training.get("ridge")
    return f"; averaged with ridge regression on TF-IDF (share {ridge['share']:.0%})" if ridge else ""
