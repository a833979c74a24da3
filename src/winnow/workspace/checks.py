"""One check of `winnow doctor`: what was found, and the command that mends it."""

from dataclasses import dataclass
from typing import Literal

FIRST = 5
"""Names of a longer list that are told."""

State = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; a `note` is no reason to fail."""

    name: str
    state: State
    found: str
    fix: str = ""

    def line(self) -> str:
        """As text for a terminal."""
        mark = {"ok": "✓", "note": "–", "missing": "✗"}[self.state]
        return f"{mark} {self.name:<12} {self.found}" + (f"\n{'':<15}to do: {self.fix}" if self.fix else "")


def few(names: list[str]) -> str:
    """The first names, and how many there are more."""
    more = len(names) - FIRST
    return ", ".join(names[:FIRST]) + (f" and {more} more" if more > 0 else "")
