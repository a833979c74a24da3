"""A request for routes, as the command line and the server take it, checked without loading torch."""

from dataclasses import dataclass

from winnow.domains.climb import definitions
from winnow.pipeline.errors import WinnowError


@dataclass(frozen=True)
class Asked:
    """Routes of a grade, for a board at an angle."""

    board: str
    angle: int
    grade: str

    @classmethod
    def of(cls, *, grade: str, board: str, angle: int) -> "Asked":
        """Raises WinnowError for what no board has."""
        font = definitions.parse_grade(grade)
        if font is None:
            raise WinnowError(
                f"{grade} is not a Font grade of these boards", fix=f"one of {', '.join(definitions.GRADES)}"
            )
        _check_known("board", board, list(definitions.BOARDS))
        _check_known("angle", angle, list(definitions.ANGLES))
        return cls(board, angle, font)


def _check_known(what: str, value: object, known: list[object]) -> None:
    if value not in known:
        raise WinnowError(f"there is no {what} {value}", fix=f"one of {', '.join(map(str, known))}")
