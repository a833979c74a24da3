"""When a test set is too small for its intervals to be believed."""

FEWEST = 20
"""rows below which a bootstrap percentile interval covers clearly less than it claims (two equal rows: nothing)"""


def too_few(count: int, what: str) -> list[str]:
    """A line that says so of `count` rows, which are `what`; none for as many as are needed."""
    if count >= FEWEST:
        return []
    return [f"⚠ only {count} {what}: the intervals are too narrow; judge {FEWEST} or more"]
