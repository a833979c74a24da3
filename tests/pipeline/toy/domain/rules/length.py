"""Which flowers are believed."""

from winnow.curate.filters import Rule


def too_long(max_length: float) -> Rule:
    return Rule("too_long", lambda flowers: flowers["length"] > max_length)
