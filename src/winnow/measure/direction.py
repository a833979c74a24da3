"""Whether higher or lower values of a metric are better, derived from its name."""

import re

from winnow.pipeline.errors import WinnowError

UP = frozenset(
    {
        "score",
        "accuracy",
        "precision",
        "recall",
        "ndcg",
        "auc",
        "f1",
        "kappa",
        "correlation",
        "sensitivity",
        "specificity",
    }
)
DOWN = frozenset({"error", "loss", "nll", "perplexity", "mae", "rmse", "ece", "divergence", "clicks"})


def higher_is_better(name: str) -> bool:
    """True for names such as `exact_accuracy` or `ndcg_at_10`, False for `val_loss` or `quality_perplexity`.

    The last word of the name that has a direction decides; words are separated by anything but letters and digits.
    Raises WinnowError when no word has a direction.
    """
    for word in reversed(re.split(r"[^a-z0-9]+", name.lower())):
        if word in UP:
            return True
        if word in DOWN:
            return False
    raise WinnowError(
        f"the metric name `{name}` does not imply whether higher or lower is better",
        fix=f"name it with one of: {', '.join(sorted(UP))} (higher) or {', '.join(sorted(DOWN))} (lower)",
    )


def beats(name: str, value: float, other: float) -> bool:
    """Whether `value` is strictly better than `other` in the metric `name`; raises as `higher_is_better`."""
    return value > other if higher_is_better(name) else value < other
