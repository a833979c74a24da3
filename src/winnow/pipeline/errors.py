"""One family of errors: each says what is wrong, where, and what to do about it."""


class WinnowError(Exception):
    """A mistake a person can mend; shown without a traceback unless they ask for one."""

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what = what
        self.where = where
        self.fix = fix
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  to do: {self.fix}")
        return "\n".join(lines)


class ParamsError(WinnowError):
    """params.yaml holds something it may not."""


class SourceError(WinnowError):
    """A source file is missing, unreadable, or not what its format says."""


class TableError(WinnowError):
    """A table between two stages is missing, empty, or breaks its schema."""


class LeakageError(WinnowError):
    """The same thing stands on two sides of a split."""


class TrainingError(WinnowError):
    """Training cannot go on: a loss that is not a number, a checkpoint that does not fit."""
