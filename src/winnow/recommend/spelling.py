"""How names are compared: after Unicode normalisation (NFKC), case folding, and with one kind of quote and dash; and
loosely, without accents and punctuation.
"""

import re
import unicodedata

JOIN = " – "
"""Between artist and title."""
DASH = re.compile(r"\s+[-‐-―−]\s+")
QUOTES = str.maketrans({**dict.fromkeys("‘’‚‛′`´ʼ", "'"), **dict.fromkeys("“”„‟″«»", '"')})
QUOTED = re.compile(f"[{re.escape(''.join(map(chr, QUOTES)))}]")
NEITHER = re.compile(r"[^a-z0-9]+")
"""Neither letter nor digit of folded ASCII."""


def plain(name: str) -> str:
    """The name for comparison: NFKC, case folded, one kind of quote, dash and blank."""
    # quotes first: NFKC turns the acute accent into a blank and a combining mark
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", _quotes(name)).casefold())
    return " ".join(DASH.sub(JOIN, _quotes(folded)).split())


def _quotes(name: str) -> str:
    """The name with one kind of quote; most names have none, and looking for one takes a tenth of translating."""
    return name.translate(QUOTES) if QUOTED.search(name) else name


def loose(name: str) -> str:
    """The letters and digits of the name, without accents and a "the" before it; & is "and"."""
    return loosened(plain(name))


def loosened(name: str) -> str:
    """`loose` of a name that is `plain`."""
    letters = name.removeprefix("the ").replace("&", " and ").replace("'", "")
    if not letters.isascii():
        decomposed = unicodedata.normalize("NFKD", letters)
        letters = "".join(each if each.isalnum() else " " for each in decomposed if not unicodedata.combining(each))
        return " ".join(letters.split())
    return NEITHER.sub(" ", letters).strip()
