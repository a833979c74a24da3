"""Which holds real and generated routes use."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from winnow.domains.climb import definitions
from winnow.show.figures import new_figure, styled

ORIGINS = {"train": "training routes", "test": "test routes", "model": "generated routes"}


def hold_heatmap(usage: pd.DataFrame) -> Figure:
    """Share of each hold among all holds used, one row of panels per board, from a `HoldUsage` table."""
    boards = [board for board in definitions.BOARDS if (usage["board"] == board).any()]
    with styled():
        figure = new_figure(9.6, 4.6 * len(boards))
        grid = figure.subplots(len(boards), len(ORIGINS), squeeze=False)
        for line, board in zip(grid, boards, strict=True):
            here = usage[usage["board"] == board]
            top = float(here[[*ORIGINS]].to_numpy().max())
            for axes, (origin, title) in zip(line, ORIGINS.items(), strict=True):
                shares = np.zeros((definitions.BOARDS[board].rows, len(definitions.COLUMNS)))
                for hold, share in zip(here["hold"], here[origin], strict=True):
                    shares[divmod(definitions.cell_index(hold), len(definitions.COLUMNS))] = share
                image = axes.imshow(shares, origin="lower", cmap="magma", vmin=0, vmax=top)
                axes.grid(visible=False)
                axes.set_xticks(range(len(definitions.COLUMNS)), list(definitions.COLUMNS), fontsize=7)
                axes.set_yticks(range(len(shares)), [str(row + 1) for row in range(len(shares))], fontsize=7)
                axes.set_title(f"{definitions.BOARDS[board].title}\n{title}", fontsize=9)
            figure.colorbar(image, ax=list(line), shrink=0.7, format="{x:.1%}", label="share of holds used")
    return figure
