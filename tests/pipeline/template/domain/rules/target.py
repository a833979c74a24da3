"""Which rows are believed."""

from winnow.curate.filters import Rule


def too_small(least: float) -> Rule:
    return Rule("too_small", lambda rows: rows["target"] < least)


def too_large(most: float) -> Rule:
    return Rule("too_large", lambda rows: rows["target"] > most)
