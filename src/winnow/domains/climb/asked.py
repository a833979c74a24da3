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
        font = definitions.parse_grade(grade)
        if font is None:
            raise WinnowError(
                f"{grade} is not a Font grade of these boards", fix=f"one of {', '.join(definitions.GRADES)}"
            )
        if board is not None:
            _check_known("board", board, list(definitions.BOARDS))
        if angle is not None:
            _check_known("angle", angle, list(definitions.ANGLES))
        return cls(board, angle, font)


def _check_known(what: str, value: object, known: list[object]) -> None:
    if value not in known:
        raise WinnowError(f"there is no {what} {value}", fix=f"one of {', '.join(map(str, known))}")
