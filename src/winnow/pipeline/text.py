"""Text of strangers – names of files and people, titles, messages of libraries and servers – before it is shown."""

import os
import re
import unicodedata

LONGEST = 1000
"""Characters of a line that are shown."""
OBEYED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that a terminal obeys instead of showing: controls, directions, halves of pairs, line ends."""
JOINERS = "\u200c\u200d"
"""Two of them that words of Persian and Hindi, and emoji, are written with."""
SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")
"""Environment variables whose values are never shown, such as an oracle's key, which a server may repeat."""
SHORTEST_SECRET = 8


def shown(text: object, most: int = LONGEST) -> str:
    """Any text as one line that a terminal shows as it is, without the keys of the environment.

    An escape sequence could clear the screen, and a line break or a mark of direction forge a line: they are shown as
    Python writes them. What is longer than `most` characters is cut in the middle, so that a path keeps both ends.
    """
    line = masked(str(text))
    if len(line) > most:
        tail = most // 3
        line = f"{line[: most - tail - 3]} … {line[-tail:]}"
    if line.isprintable():
        return line
    return "".join(repr(each)[1:-1] if _is_obeyed(each) else each for each in line)


def masked(text: str) -> str:
    """The text with `…` for the value of every environment variable that is a key by its name."""
    for name, value in sorted(os.environ.items(), key=lambda each: -len(each[1])):  # one may begin with another
        if len(value) >= SHORTEST_SECRET and SECRET.search(name) and value in text:
            text = text.replace(value, "…")
    return text


def _is_obeyed(character: str) -> bool:
    return unicodedata.category(character) in OBEYED and character not in JOINERS
