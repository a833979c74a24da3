"""What kind of listener a user is, by what may be known of her when the model learns."""

import numpy as np
import pandas as pd

from winnow.domains.sessions import nouns
from winnow.domains.sessions.params import Split


def user_types(pairs: pd.DataFrame, splits: pd.DataFrame, users: int, params: Split) -> pd.DataFrame:
    """The columns of `UserTypes`: by plays of training songs, and of cold-start users by plays of the songs told.

    Validation and test plays do not count: a type that saw them would tell the model how much is still to be found.
    The bounds are those of the trained users.
    """
    known = splits[splits["split"].isin(["train", "cold_given"])].merge(pairs, on=["user_index", "song_index"])
    plays = known.groupby("user_index")["plays"].sum().reindex(range(users), fill_value=0).to_numpy()
    trained = splits.loc[splits["split"] == "train", "user_index"].unique()
    bounds = np.quantile(plays[trained], [params.regular_from, params.power_from])
    kind = np.searchsorted(bounds, plays)
    return pd.DataFrame(
        {"user_index": np.arange(users), "user_type": pd.Series(np.array(nouns.USER_TYPES)[kind], dtype="str")}
    )
