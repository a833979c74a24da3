"""The model card of a trained scorer."""

import json
from pathlib import Path

from winnow.pipeline.errors import TableError

MODEL, JUDGEMENT = Path("data", "articles", "train", "model"), Path("metrics", "articles", "judgement.json")


def model_card() -> str:
    """The card, with the test figures; raises TableError when the model was not evaluated."""
    for file in (MODEL / "config.json", MODEL / "training_metadata.json", JUDGEMENT):
        if not file.exists():
            raise TableError(f"{file} does not exist", fix="run `dvc repro evaluate@articles` first")
    scoring = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))["scoring"]
    training = json.loads((MODEL / "training_metadata.json").read_text(encoding="utf-8"))
    judgement = json.loads(JUDGEMENT.read_text(encoding="utf-8"))
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
        f"Base: {base}, at most {training['configuration']['max_length']} tokens. Trained on "
        f"{training['rows']['train']} articles whose scores an oracle gave; verdict on {judgement['rows_test']} test "
        f"articles: {judgement['verdict']}.\n\n"
        f"| metric | test |\n|---|---|\n{metrics}\n"
    )
