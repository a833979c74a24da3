"""Completed playlists to look at, with the reasons."""

import pandas as pd

from winnow.recommend.cards import list_table
from winnow.show.page import Example


def completed_playlists(completed: pd.DataFrame, playlists: int) -> list[Example]:
    """Up to `playlists` playlists with the tracks that were added, from a `Completed` table."""
    return [
        Example(
            f"Playlist {name}",
            lines=[f"Its last tracks: {part['given'].iloc[0]}"],
            table=list_table(part, "track", "in it"),
        )
        for name, part in completed.groupby("playlist", sort=False)
    ][:playlists]
