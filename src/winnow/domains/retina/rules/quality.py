"""Which photographs can be graded at all."""

from winnow.curate.filters import Rule
from winnow.domains.retina.params import Filter


def quality_rules(params: Filter) -> list[Rule]:
    """Why a photograph cannot be graded, in the order in which reasons are given."""
    return [
        Rule("no_retina", lambda photos: photos["retina_share"] < params.min_retina_share),
        Rule("too_dark", lambda photos: photos["brightness"] < params.min_brightness),
        Rule("too_bright", lambda photos: photos["brightness"] > params.max_brightness),
        Rule("too_blurred", lambda photos: photos["sharpness"] < params.min_sharpness),
    ]
