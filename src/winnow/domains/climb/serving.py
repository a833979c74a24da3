"""`winnow serve climb`: choose a grade, see routes on the board."""

from typing import Annotated, Any

from pydantic import Field

from winnow.domains.climb import definitions
from winnow.domains.climb.asked import Asked
from winnow.domains.climb.inference import Generator
from winnow.domains.climb.view.boards import DrawnRoute, sheet_of_boards
from winnow.learn.devices import configured_device
from winnow.learn.folder import TrainedModel
from winnow.serve.pictures import figure_uri
from winnow.serve.service import Clock, Question, Service, Upload

DPI = 110


class Grade(Question):
    """Routes of a grade."""

    grade: str = Field(max_length=8, description="Font grade, such as 6C+; or a V grade that is one Font grade, as V7")
    count: int = Field(1, ge=1, le=10, description="routes to generate")
    board: Annotated[str, Field(max_length=8, coerce_numbers_to_str=True)] | None = Field(
        None, description="year of the board"
    )
    angle: int | None = Field(None, description="degrees of overhang: 25 or 40")
    seed: int = Field(0, ge=0, le=2**63 - 1, description="the same seed gives the same routes")


def open_service(trained: TrainedModel) -> Service:
    """The trained generator as a service."""
    generator = Generator(trained.folder, configured_device())

    def answer(question: Grade, _: Upload | None, __: Clock) -> list[dict[str, Any]]:
        asked = Asked.of(grade=question.grade, board=question.board, angle=question.angle)
        return generator.asked_routes(asked, question.count, question.seed)

    return Service(
        domain="climb",
        verb="generate",
        title="Generate climbing routes",
        lead="Choose a grade, and see new routes on the MoonBoard.",
        trained=trained,
        question=Grade,
        answer=answer,
        shown=_drawn,
        offered={"boards": generator.boards(), "grades": generator.grades()},
    )


def _drawn(routes: list[dict[str, Any]]) -> dict[str, Any]:
    """A picture of each route's board."""
    return {
        "boards": [
            figure_uri(
                sheet_of_boards(
                    [
                        DrawnRoute(
                            f"{route['grade']} · {definitions.BOARDS[route['board']].title} · {route['angle']}°",
                            route["board"],
                            [(each["hold"], each["role"]) for each in route["holds"]],
                        )
                    ],
                    1,
                ),
                DPI,
            )
            for route in routes
        ]
    }
