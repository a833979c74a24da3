"""A request for routes, as the command line and the server take it, checked without loading torch."""

from dataclasses import dataclass

from winnow.domains.climb import definitions
from winnow.pipeline.errors import WinnowError

FONT_OF_V = {
    "V2": "5+", "V3": "6A or 6A+", "V4": "6B or 6B+", "V5": "6C or 6C+", "V6": "7A", "V7": "7A+", "V8": "7B or 7B+",
    "V9": "7C", "V10": "7C+", "V11": "8A", "V12": "8A+", "V13": "8B", "V14": "8B+",
}  # fmt: skip
"""The Font grades of a V grade (Hueco scale), as the usual tables of comparison have them."""


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
    """The Font grade of `6c+`, `f6C+`, `6C+/V5`, or of a V grade that is one Font grade only, as V7."""
    first, _, second = (part.strip() for part in grade.upper().partition("/"))
    wanted = FONT_OF_V.get(first, first)
    font = definitions.parse_grade(wanted.removeprefix("F"))
    if font is not None and second and font not in FONT_OF_V.get(second, "").split(" or "):
        (v_grade,) = (name for name, grades in FONT_OF_V.items() if font in grades.split(" or "))
        raise WinnowError(
            f"{grade} is not one grade: {font} is {v_grade} on the V scale", fix=f"name {font}, or another"
        )
    if font is not None:
        return font
    if first in FONT_OF_V:
        raise WinnowError(f"the V grade {first} is {wanted} on the Font scale", fix="name one of the two")
    scale = ", ".join(definitions.GRADES)
    raise WinnowError(f"{grade} is not a Font grade of these boards", fix=f"one of {scale}, or V2 to V14")


def _check_known(what: str, value: object, known: list[object]) -> None:
    if value not in known:
        names = ", ".join(map(str, known))
        raise WinnowError(f"there is no {what} {value}", fix=f"one of {names}" if len(known) > 1 else f"name {names}")
