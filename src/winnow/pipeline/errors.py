"""One family of errors: each says what is wrong, where, and what to do about it."""

import errno
from collections.abc import Sequence

from winnow.pipeline.text import shown

MOST_LINES = 30
"""of one message"""


class WinnowError(Exception):
    """An error that a user can resolve; shown without a traceback unless they pass `--debug`.

    `what` is a line, or several. Names and library messages within it cannot begin a line or move the cursor.
    """

    def __init__(self, what: str | Sequence[str], *, where: str = "", fix: str = "") -> None:
        lines = [what] if isinstance(what, str) else [*what]
        more = [f"… and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
        self.what = "\n".join([*map(shown, lines[:MOST_LINES]), *more])
        self.where = shown(where)
        self.fix = shown(fix)
        super().__init__(self.what)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  to do: {self.fix}")
        return "\n".join(lines)


class ParamsError(WinnowError):
    """params.yaml holds an invalid value."""


class SourceError(WinnowError):
    """A source file is missing, unreadable, or not what its format says."""


class TableError(WinnowError):
    """A table between two stages is missing, empty, or breaks its schema."""


class LeakageError(WinnowError):
    """The same thing is in two splits."""


class TrainingError(WinnowError):
    """Training cannot continue: a loss that is not finite, a checkpoint of another model."""


def from_os_error(error: OSError) -> WinnowError:
    """The operating system's refusal, such as a full disk, as a message with file, reason and remedy."""
    remedies = {
        errno.ENOSPC: "free some space, then run the same command again",
        errno.EDQUOT: "free some space within your quota, then run the same command again",
        errno.EFBIG: "raise the limit on file sizes (`ulimit -f`), then run the same command again",
        errno.EACCES: "check owner and permissions of the file and its folder",
        errno.EPERM: "check owner and permissions of the file and its folder",
        errno.EROFS: "use a checkout on a writable file system",
        errno.EMFILE: "raise the limit on open files (`ulimit -n`), then run the same command again",
    }
    return WinnowError(
        error.strerror or str(error) or type(error).__name__,
        where=" and ".join(str(name) for name in (error.filename, error.filename2) if name is not None),
        fix=remedies.get(error.errno or 0, "see the message of the operating system above"),
    )
