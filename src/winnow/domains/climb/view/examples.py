"""Generated routes to look at."""

from collections.abc import Sequence

from winnow.domains.climb.view.boards import DrawnRoute, sheet_of_boards
from winnow.show.figures import as_image
from winnow.show.page import Example

DPI = 100
NUMBER = 6


def drawn_routes(routes: Sequence[DrawnRoute]) -> list[Example]:
    """Some of the routes, evenly over their grades, each on its board."""
    places = sorted({round(index * (len(routes) - 1) / max(NUMBER - 1, 1)) for index in range(NUMBER)})
    return [
        Example(
            route.title,
            pictures=[(as_image(sheet_of_boards([route], 1), DPI), f"the board with {len(route.holds)} holds ringed")],
            lines=[f"{role}: {', '.join(hold for hold, own in route.holds if own == role)}" for role in _roles(route)],
        )
        for route in (routes[place] for place in places if place < len(routes))
    ]


def _roles(route: DrawnRoute) -> list[str]:
    """In the order of the route: start, move, finish."""
    return list(dict.fromkeys(role for _, role in route.holds))
