"""Which way the figures of a calibration point, for the params' bounds and for the report."""

HIGHER_IS_BETTER = frozenset({"separation", "human_correlation"})
"""The figures of which more is better."""
