"""Routes drawn on the board the way climbers see them."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from winnow.domains.climb import definitions
from winnow.show.figures import new_figure, styled

ROLE_COLOURS = {"start": "#1aa64b", "move": "#2166d1", "finish": "#d7263d", "unknown": "#8a8a8a"}
PANEL = "#f4ecd8"
T_NUT = "#b9a988"


class DrawnRoute(NamedTuple):
    """A route as a picture shows it."""

    title: str
    board: str
    holds: Sequence[tuple[str, str]]
    """Cells with their roles, such as `("F12", "move")`."""


def draw_board(axes: Axes, route: DrawnRoute) -> None:
    """The panel with columns A–K and rows from the bottom, and a ring around each hold of the route."""
    rows = definitions.BOARDS[route.board].rows
    columns = len(definitions.COLUMNS)
    axes.set_facecolor(PANEL)
    axes.grid(visible=False)
    axes.scatter(
        [column for row in range(rows) for column in range(columns)],
        [row + 1 for row in range(rows) for _ in range(columns)],
        s=4,
        color=T_NUT,
        linewidths=0,
    )
    for hold, role in route.holds:
        centre = (definitions.COLUMNS.index(hold[0]), int(hold[1:]))
        axes.add_patch(Circle(centre, 0.42, fill=False, linewidth=2.4, edgecolor=ROLE_COLOURS[role]))
    axes.set_xlim(-0.7, columns - 0.3)
    axes.set_ylim(0.3, rows + 0.7)
    axes.set_aspect("equal")
    axes.set_xticks(range(columns), list(definitions.COLUMNS), fontsize=7)
    axes.set_yticks(range(1, rows + 1), [str(row) for row in range(1, rows + 1)], fontsize=7)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(T_NUT)
    axes.set_title(route.title, fontsize=9)


def sheet_of_boards(routes: Sequence[DrawnRoute], columns: int) -> Figure:
    """A figure with one board per route, row by row, and what the colours of the rings mean."""
    columns = min(columns, len(routes))
    rows = -(-len(routes) // columns)
    with styled():
        figure = new_figure(2.7 * columns, 4.3 * rows)
        grid = figure.subplots(rows, columns, squeeze=False)
        for index, axes in enumerate(grid.flat):
            if index < len(routes):
                draw_board(axes, routes[index])
            else:
                axes.set_axis_off()
        shown = {role for route in routes for _, role in route.holds}
        rings = {
            role: Line2D([], [], marker="o", markersize=9, linestyle="none", fillstyle="none", color=colour, mew=2.4)
            for role, colour in ROLE_COLOURS.items()
            if role in shown
        }
        figure.legend(rings.values(), rings, loc="outside lower center", ncols=len(rings), fontsize=9)
    return figure
