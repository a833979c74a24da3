"""Which photographs can be graded at all."""

from winnow.curate.filters import Rule
from winnow.domains.retina.definitions import QualityLimits


def quality_rules(limits: QualityLimits) -> list[Rule]:
    """Why a photograph cannot be graded, in the order in which reasons are given."""
    return [
        Rule("no_retina", lambda photos: photos["retina_share"] < limits.min_retina_share),
        Rule("too_dark", lambda photos: photos["brightness"] < limits.min_brightness),
        Rule("too_bright", lambda photos: photos["brightness"] > limits.max_brightness),
        Rule("too_blurred", lambda photos: photos["sharpness"] < limits.min_sharpness),
    ]
