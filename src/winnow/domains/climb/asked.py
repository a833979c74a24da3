"""A request for routes, as the command line and the server take it, checked without loading torch."""

from dataclasses import dataclass

from winnow.domains.climb import definitions
from winnow.pipeline.errors import WinnowError


@dataclass(frozen=True)
class Asked:
    """Routes of a grade, for a board at an angle; None leaves the board or the angle to the model."""

    board: str | None
    angle: int | None
    grade: str

    @classmethod
    def of(cls, *, grade: str, board: str | None = None, angle: int | None = None) -> "Asked":
        """Raises WinnowError for what no board has."""
        font = _font(grade)
        if board is not None:
            _check_known("board", board, list(definitions.BOARDS))
        if angle is not None:
            _check_known("angle", angle, list(definitions.ANGLES))
        if board is not None and angle is not None:
            _check_known(f"board {board} at", angle, list(definitions.BOARDS[board].angles))
        return cls(board, angle, font)


def _font(grade: str) -> str:
    """The Font grade that is asked for, as files may write it too; raises WinnowError with what was meant instead."""
    font = definitions.parse_grade(grade)
    if font is not None:
        return font
    first = grade.upper().partition("/")[0].strip()
    both = definitions.FONT_OF_V.get(first, ())
    if len(both) > 1:
        raise WinnowError(f"the V grade {first} is {' or '.join(both)} on the Font scale", fix="name one of the two")
    font = definitions.parse_grade(first)
    if font is not None:
        (v_grade,) = (name for name, fonts in definitions.FONT_OF_V.items() if font in fonts)
        raise WinnowError(
            f"{grade} is not one grade: {font} is {v_grade} on the V scale", fix=f"name {font}, or another"
        )
    scale = ", ".join(definitions.GRADES)
    raise WinnowError(f"{grade} is not a Font grade of these boards", fix=f"one of {scale}, or V2 to V14")


def _check_known(what: str, value: object, known: list[object]) -> None:
    if value not in known:
        names = ", ".join(map(str, known))
        raise WinnowError(f"there is no {what} {value}", fix=f"one of {names}" if len(known) > 1 else f"name {names}")
