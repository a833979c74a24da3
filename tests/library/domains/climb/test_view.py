"""What climb's pictures show: the marks are where the data say, in the colours and under the names of the legend."""

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from matplotlib.patches import Circle

from winnow.domains.climb import definitions
from winnow.domains.climb.view.boards import ROLE_COLOURS, DrawnRoute, sheet_of_boards
from winnow.domains.climb.view.examples import drawn_routes
from winnow.domains.climb.view.heatmap import hold_heatmap
from winnow.domains.climb.view.moves import TITLES, USAGE, move_distributions

HOLDS = [("A5", "start"), ("C9", "move"), ("K18", "finish")]


def test_a_ring_is_at_its_hold_in_the_colour_of_its_role() -> None:
    """By the labels of the axes, as a person reads them."""
    figure = sheet_of_boards([DrawnRoute("one", "2016", HOLDS)], 3)
    (axes,) = figure.axes
    columns = dict(zip(axes.get_xticks(), (label.get_text() for label in axes.get_xticklabels()), strict=True))
    rows = dict(zip(axes.get_yticks(), (label.get_text() for label in axes.get_yticklabels()), strict=True))
    rings = [patch for patch in axes.patches if isinstance(patch, Circle)]
    shown = [(columns[ring.center[0]] + rows[ring.center[1]], to_hex(ring.get_edgecolor())) for ring in rings]
    assert shown == [(hold, ROLE_COLOURS[role]) for hold, role in HOLDS]
    (legend,) = figure.legends
    handles = zip((text.get_text() for text in legend.get_texts()), legend.legend_handles, strict=True)
    assert {role: to_hex(handle.get_color()) for role, handle in handles} == {  # type: ignore[union-attr]
        role: ROLE_COLOURS[role] for _, role in HOLDS
    }


def test_a_dot_is_at_every_hold_of_the_board() -> None:
    """A board of 2016 has 11 columns and 18 rows, from below."""
    (axes,) = sheet_of_boards([DrawnRoute("one", "2016", HOLDS)], 1).axes
    (dots,) = axes.collections
    found = sorted(map(tuple, np.asarray(dots.get_offsets()).tolist()))
    assert found == [(column, row) for column in range(11) for row in range(1, 19)]


def test_a_board_is_as_large_among_many_as_alone() -> None:
    """A place of the grid, in inches; the last row of seven boards has one."""
    (alone, rows_alone, _), *others = (
        (figure.get_size_inches(), *figure.axes[0].get_gridspec().get_geometry())
        for figure in (sheet_of_boards([DrawnRoute("one", "2016", HOLDS)] * count, 3) for count in (1, 2, 7))
    )
    assert rows_alone == 1
    assert [place[1:] for place in others] == [(1, 2), (3, 3)]
    assert all(np.allclose(size / (columns, rows), alone) for size, rows, columns in others)


def test_an_example_lists_the_holds_of_each_role() -> None:
    holds = [("A5", "start"), ("B5", "start"), ("C9", "move"), ("K18", "finish")]
    (example,) = drawn_routes([DrawnRoute("one", "2016", holds)])
    assert list(example.lines) == ["start: A5, B5", "move: C9", "finish: K18"]
    ((_, text),) = example.pictures
    assert "4 holds" in text


def test_examples_are_spread_over_the_routes() -> None:
    routes = [DrawnRoute(str(number), "2016", HOLDS) for number in range(11)]
    assert [each.title for each in drawn_routes(routes)] == ["0", "2", "4", "6", "8", "10"]


def test_the_map_of_holds_shows_each_share_at_its_hold_under_its_origin() -> None:
    usage = pd.DataFrame(
        {"board": "2016", "hold": ["B3", "K18"], "train": [0.1, 0.2], "test": [0.3, 0.4], "model": [0.5, 0.05]}
    )
    panels = {axes.get_title().partition("\n")[2]: axes for axes in hold_heatmap(usage).axes if axes.get_title()}
    names = {"training routes": "train", "test routes": "test", "generated routes": "model"}
    assert set(panels) == set(names)
    for title, origin in names.items():
        (image,) = panels[title].images
        shares = np.asarray(image.get_array())
        for hold, share in zip(usage["hold"], usage[origin], strict=True):
            assert shares[int(hold[1:]) - 1, definitions.COLUMNS.index(hold[0])] == share
        assert shares.sum() == usage[origin].sum()
        assert image.get_clim() == (0, 0.5), "one scale for the panels of a board"


def test_bars_and_distances_of_moves_stand_under_their_own_names() -> None:
    """Read from the picture: the heights by the legend, and the marks of distances by theirs."""
    values = {"test": {1.0: 0.25, 2.5: 0.75}, "model": {1.2: 0.6, 3.0: 0.4}}
    shares = pd.DataFrame(
        [
            {"measure": measure, "origin": origin, "value": value, "share": share}
            for measure in TITLES
            for origin, found in values.items()
            for value, share in found.items()
        ]
    )
    measures = [*TITLES, USAGE]
    rows = [
        {"measure": measure, "origin": origin, "distance": 9.0, "beyond_chance": at + away, "low": at, "high": at + 2}
        for away, origin in ((0.5, "model"), (0.25, "train"))
        for at, measure in enumerate(measures)
    ]
    figure = move_distributions(shares, pd.DataFrame(rows))
    (legend,) = figure.legends
    first, *_, last = figure.axes
    bars = dict(zip((text.get_text() for text in legend.get_texts()), first.containers, strict=True))
    heights = {name: [bar.get_height() for bar in container] for name, container in bars.items()}  # type: ignore[union-attr]
    assert heights == {"test routes": [0.25, 0.75, 0.0], "generated routes": [0.6, 0.0, 0.4]}
    marks = {str(each.get_label()): each[0].get_xdata() for each in last.containers}  # type: ignore[index]
    assert {name: list(at) for name, at in marks.items()} == {
        "generated": [at + 0.5 for at in range(len(measures))],
        "training": [at + 0.25 for at in range(len(measures))],
    }
    ends = last.containers[0][2][0].get_segments()  # type: ignore[index]
    assert [[x for x, _ in segment] for segment in ends] == [[at, at + 2] for at in range(len(measures))]
