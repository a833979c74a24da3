"""
The calibration's agreement statistics on four real language models against people (HANNA: 792 stories, six criteria).

    python -m benchmarks.articles.agreement DATA

DATA holds hanna_human_vs_llm_scores.csv. Each model's scores are those under its first prompt. What is printed is also
in benchmarks/articles/results/agreement.json.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import report
from winnow.domains.articles.rules.calibration import agreement_of

CRITERIA = {
    "re": "relevance",
    "ch": "coherence",
    "em": "empathy",
    "su": "surprise",
    "eg": "engagement",
    "cx": "complexity",
}
MODELS = ("chatgpt", "beluga-13b", "mistral-7b", "llama-13b")


def main() -> None:
    table = pd.read_csv(Path(sys.argv[1]) / "hanna_human_vs_llm_scores.csv")
    people = table[[f"human_{name}" for name in CRITERIA.values()]].set_axis(list(CRITERIA.values()), axis=1)
    found = {}
    for model in MODELS:
        oracle = table[[f"{model}_{short}_1" for short in CRITERIA]].set_axis(list(CRITERIA.values()), axis=1)
        complete = oracle.notna().all(axis=1)
        rows = agreement_of(oracle[complete], people[complete])
        found[model] = {
            "stories": int(complete.sum()),
            "mean_correlation": round(float(np.mean([each.correlation for each in rows])), 3),
            "mean_mae": round(float(np.mean([each.mae for each in rows])), 3),
            "mean_mae_without_offset": round(float(np.mean([each.mae_without_offset for each in rows])), 3),
            "largest_offset": round(max((each.offset for each in rows), key=abs), 3),
            "offset": {each.dimension: round(each.offset, 3) for each in rows},
            "correlation": {each.dimension: round(each.correlation, 3) for each in rows},
        }
    report("articles/agreement", found)


if __name__ == "__main__":
    main()
