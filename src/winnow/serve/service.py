"""What a domain gives to be served: questions, answers, and how its page shows them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel, ConfigDict

from winnow.learn.folder import TrainedModel
from winnow.pipeline.errors import WinnowError


class Question(BaseModel):
    """What is asked, as JSON or by a form; a domain's own has the fields."""

    model_config = ConfigDict(extra="forbid")


DAMAGED = "open it in a viewer: if it is damaged, save it again"
"""What to do about a file that cannot be read, and whose kind can."""


class TooSlowError(WinnowError):
    """An answer took longer than the server allows."""


class Clock:
    """The time that is left for an answer; a long computation calls `check` between its parts."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        """Raise TooSlowError when the time is over."""
        if time.monotonic() > self._end:
            raise TooSlowError(
                f"the answer takes longer than {self.seconds:g} seconds",
                fix="ask for less at a time, or use the command line, which has no limit",
            )


@dataclass(frozen=True)
class Upload:
    """A file that was sent. Its name is text to show: no path is made of it."""

    name: str
    content: bytes

    @property
    def suffix(self) -> str:
        """The ending of the name with its dot, in lower case; empty without one."""
        stem, dot, end = self.name.rpartition(".")
        return f".{end.lower()}" if stem and dot else ""

    @contextmanager
    def as_file(self, accepted: tuple[str, ...], what: str) -> Iterator[Path]:
        """The content as a file of a folder that exists as long as the block; answers may be written beside it.

        Raises WinnowError when its name has none of the `accepted` endings of `what` (such as a page).
        """
        if self.suffix not in accepted:
            raise WinnowError(f"{self.name} is not the name of {what}", fix=f"send one of {', '.join(accepted)}")
        with TemporaryDirectory(prefix="winnow-serve-") as folder:
            file = Path(folder, f"upload{self.suffix}")
            file.write_bytes(self.content)
            yield file


Answer = Callable[[Any, Any, Clock], Any]
"""From a question of the service's type, the Upload where it takes one (else None), and the time that is left: what the
command line prints as JSON, without the verdict on the model. Raises WinnowError for a question that cannot be
answered."""


@dataclass(frozen=True)
class Service:
    """One domain's model, opened to answer questions."""

    domain: str
    verb: str
    """of the command `winnow DOMAIN VERB` that gives the same answers"""
    title: str
    lead: str
    """one sentence that says what the page does"""
    trained: TrainedModel
    question: type[Question]
    answer: Answer
    accept: tuple[str, ...] = ()
    """endings of the files that are questions; empty when the question is text"""
    shown: Callable[[Any], dict[str, Any]] = field(default=lambda _: {})
    """what the page shows of an answer besides its values, such as a picture"""
    offered: dict[str, Any] = field(default_factory=dict)
    """what the form offers to choose from"""

    def ask(self, question: Question, upload: Upload | None, clock: Clock) -> Any:
        """The answer, with the verdict on the model that gave it: one row, or a list of rows."""
        found = self.answer(question, upload, clock)
        return [self.trained.stamp(row) for row in found] if isinstance(found, list) else self.trained.stamp(found)

    @property
    def warning(self) -> str:
        """What a person must know before relying on the model's answers; empty where there is nothing."""
        return " ".join(f"{each[0].upper()}{each[1:].rstrip('.')}." for each in self.trained.warnings)
