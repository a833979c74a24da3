"""The pictures of sessions."""

import pandas as pd
import pytest

from tests.library.show.charted import dots
from winnow.domains.sessions.view.comparison import recall_at_cutoffs, recall_by_user
from winnow.domains.sessions.view.examples import recommended
from winnow.recommend.charts import MEANING

KNOWN = {"model": 0.5, "ease": 0.4, "network": 0.8, "truth": 0.9}


def ranked() -> pd.DataFrame:
    """Recall by recommender and by whether a user is known; the references are ahead of all."""
    recall = {(name, False): value for name, value in KNOWN.items()} | {("model", True): 0.1, ("ease", True): 0.2}
    rows = [
        {"recommender": name, "cold": cold, "user_type": "casual", "history": "1-5"}
        | {f"recall_at_{k}": value for k in (5, 10, 20)}
        for (name, cold), value in recall.items()
        for _ in range(3)
    ]
    return pd.DataFrame(rows)


def test_known_and_cold_start_users_are_drawn_apart() -> None:
    known, cold = recall_at_cutoffs(ranked()).axes
    at_5 = [{name: value[0] for (name, k), value in dots(axes).items() if k == "K = 5"} for axes in (known, cold)]
    names = {"ease": "ease"} | {name: MEANING[name] for name in ("model", "network", "truth")}
    assert at_5[0] == {names[name]: pytest.approx(value) for name, value in KNOWN.items()}
    assert at_5[1] == {names[name]: pytest.approx(value) for name, value in (("model", 0.1), ("ease", 0.2))}
    titles = ["Known users (n = 3 users)", "Cold-start users (n = 3 users)"]
    assert [axes.get_title() for axes in (known, cold)] == titles
    (alone,) = recall_at_cutoffs(ranked()[lambda rows: ~rows["cold"]]).axes
    assert alone.get_title() == titles[0]


def test_by_user_the_model_is_beside_its_best_baseline_over_known_users() -> None:
    """No reference is a baseline."""
    for axes in recall_by_user(ranked()).axes:
        heights = {bars.get_label(): bars.patches[0].get_height() for bars in axes.containers[1::2]}
        assert heights == pytest.approx({"model": 0.5, "ease": 0.4})


def test_a_user_has_a_card_with_the_first_reason_of_each_place() -> None:
    rows = [
        (user, "casual", place, f"song {user}{place}", place == 2, "song", reason, effect)
        for user in ("u2", "u1", "u3")
        for place in (1, 2)
        for reason, effect in (("first", 0.5), ("second", 0.1))
    ]
    columns = ["user", "user_type", "place", "title", "found", "kind", "reason", "effect"]
    cards = recommended(pd.DataFrame(rows, columns=columns), 2)
    assert [card.title for card in cards] == ["User u1", "User u2"]
    assert cards[0].table is not None
    assert cards[0].table.rows == [
        ["1", "song u11", "no", "song: first", "+0.500"],
        ["2", "song u12", "yes", "song: first", "+0.500"],
    ]
