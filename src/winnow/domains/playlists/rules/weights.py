"""How often tracks are drawn as negatives, and the edges from tracks to tracks."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import sparse

from winnow.domains.playlists.params import Weight
from winnow.pipeline.errors import TableError
from winnow.pipeline.tables import PIECE
from winnow.recommend.cooccurrence import edge_weights, nearest_neighbours


def weigh_tracks(tracks: int, graph: pd.DataFrame, params: Weight) -> pd.DataFrame:
    """The columns of `Sampling`: chances ∝ playlists^exponent; a track that no training playlist has is never drawn.

    Raises TableError when no track is in enough playlists for a vector of its own.
    """
    playlists = np.bincount(graph["track_index"], minlength=tracks)
    exponent = params.popularity_exponent if params.negatives == "popularity" else 0.0
    chance = np.where(playlists > 0, np.maximum(playlists, 1.0) ** exponent, 0.0)
    embedded = playlists >= params.min_playlists
    if not embedded.any():
        raise TableError(
            f"no track is in {params.min_playlists} training playlists",
            fix="lower playlists.weight.min_playlists, or use more data",
        )
    return pd.DataFrame(
        {
            "track_index": np.arange(tracks),
            "playlists": playlists,
            "probability": chance / chance.sum(),
            "embedded": embedded,
        }
    )


def track_edges(graph: pd.DataFrame, sampling: pd.DataFrame, params: Weight) -> Iterator[pd.DataFrame]:
    """The columns of `TrackEdges`: of each track the nearest tracks with a vector of their own, by common playlists.

    In pieces of some tracks: of ten million entries they would take a gigabyte, and as much again to check and write.
    """
    ends = np.cumsum(np.bincount(graph["playlist_index"]))
    indptr, track = np.append(0, ends).astype(np.int32), graph["track_index"].to_numpy(dtype=np.int32)
    train = sparse.csr_matrix((np.ones(len(track), dtype=np.float32), track, indptr), shape=(len(ends), len(sampling)))
    found = nearest_neighbours(
        train, neighbours=params.neighbours, shrink=params.shrink, candidates=sampling["embedded"].to_numpy()
    )
    counts = sampling["playlists"].to_numpy(dtype=np.float32)
    for start in range(0, len(sampling), max(PIECE // params.neighbours, 1)):
        part = slice(start, start + max(PIECE // params.neighbours, 1))
        item, together = found.item[part], found.together[part]
        weights = edge_weights(together, counts[part, None], counts[item], params.shrink)
        row, place = np.nonzero(weights > 0)
        yield pd.DataFrame(
            {
                "track_index": start + row,
                "neighbour": item[row, place].astype(np.int64),
                "together": together[row, place].astype(np.int64),
                "weight": weights[row, place].astype(np.float64),
            }
        )
