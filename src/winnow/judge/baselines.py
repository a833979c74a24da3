"""The baselines with which a model's metrics are compared."""

from collections.abc import Mapping

from winnow.measure.direction import higher_is_better
from winnow.pipeline.errors import WinnowError


def strongest(baselines: Mapping[str, Mapping[str, float]], metric: str) -> str:
    """Name of the baseline best in `metric`, the first by name among equals; raises WinnowError when none has it."""
    measured = {name: values[metric] for name, values in sorted(baselines.items()) if metric in values}
    if not measured:
        known = ", ".join(sorted(baselines)) or "none"
        raise WinnowError(f"no baseline was measured in `{metric}`", fix=f"baselines: {known}")
    best = max if higher_is_better(metric) else min
    return best(measured, key=lambda name: measured[name])
