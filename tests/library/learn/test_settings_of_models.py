"""The settings in a model's folder: bounded, so that a damaged file is told and never answers."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from winnow.domains.articles.model.scoring import MixtureSettings
from winnow.domains.documents.model.estimates import Calibration as DocumentsCalibration
from winnow.domains.playlists.model.artifacts import Settings as PlaylistsSettings
from winnow.domains.retina.model.calibration import Calibration as RetinaCalibration
from winnow.domains.sessions.model.artifacts import Settings as SessionsSettings
from winnow.learn.folder import finite, model_files, read_settings
from winnow.pipeline.errors import TableError, WinnowError

CHANCES = {"slope": 1.5, "intercept": -3.0, "highest": 0.4}
GOOD: dict[str, tuple[Any, dict[str, Any]]] = {
    "retina": (
        RetinaCalibration,
        {"temperature": 1.2, "refer_from": 0.4, "refer_sensitivity": 0.9, "possible_from": 0.1, "coverage": 0.9},
    ),
    "documents": (
        DocumentsCalibration,
        {
            "weights": [0.2, 0.3, 0.5],
            "intercept": 0.01,
            "legibility_weights": [0.5, 0.5],
            "legibility_intercept": 0.0,
            "sharpness": 3.0,
            "temperature": 1.1,
            "retake_below": 0.3,
            "max_false_rejects": 0.05,
            "readable": True,
        },
    ),
    "articles": (MixtureSettings, {"ridge_share": 0.2}),
    "sessions": (
        SessionsSettings,
        {"weight": 0.5, "chances": CHANCES, "item_knn": {"neighbours": 20, "shrink": 5.0, "asymmetry": 0.5}},
    ),
    "playlists": (
        PlaylistsSettings,
        {
            "holdout_size": 5,
            "training_playlists": 100,
            "blend": {"weight": 0.5, "decay": 8.0, "floor": 0.1, "artist_weight": 0.2, "genre_weight": 0.0},
            "chances": CHANCES,
        },
    ),
}


def numbers(value: Any, *place: Any) -> Iterator[tuple[Any, ...]]:
    """The places of all numbers."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from numbers(inner, *place, key)
    elif not isinstance(value, bool):
        yield place


MULTIPLIERS = [
    *[("sessions", ("weight",)), ("sessions", ("item_knn", "shrink"))],
    *[("playlists", ("blend", name)) for name in ("weight", "floor", "artist_weight", "genre_weight")],
]
"""Numbers by which scores are multiplied: large ones make them infinite."""
TEXTS = ["NaN", "Infinity", "-Infinity", '"x"', "null", "[]", None]
CASES = [(domain, place, text) for domain, (_, good) in GOOD.items() for place in numbers(good) for text in TEXTS] + [
    (domain, place, "-1e308")
    for domain, (_, good) in GOOD.items()
    for place in numbers(good)
    if "intercept" not in str(place) and "weights" not in str(place)  # a figure is within 0 and 1 whatever these are
]
CASES += [(domain, place, "1e308") for domain, place in MULTIPLIERS]
SHARES = {
    "retina": ("refer_from", "refer_sensitivity", "possible_from", "coverage"),
    "documents": ("retake_below", "max_false_rejects"),
    "articles": ("ridge_share",),
}
CASES += [(domain, (name,), text) for domain, names in SHARES.items() for name in names for text in ("-0.01", "1.01")]


@pytest.mark.parametrize("domain", GOOD)
def test_what_was_written_is_read(domain: str, tmp_path: Path) -> None:
    kind, good = GOOD[domain]
    (tmp_path / "settings.json").write_text(json.dumps(good))
    found = TypeAdapter(kind).dump_python(read_settings(tmp_path / "settings.json", kind, domain), mode="json")
    assert {name: found[name] for name in good} == good


@pytest.mark.parametrize(("domain", "place", "text"), CASES)
def test_no_value_that_spoils_an_answer_is_read(
    domain: str, place: tuple[Any, ...], text: str | None, tmp_path: Path
) -> None:
    kind, good = GOOD[domain]
    changed = copy.deepcopy(good)
    owner = changed
    for key in place[:-1]:
        owner = owner[key]
    if text is None:
        del owner[place[-1]]
    else:
        owner[place[-1]] = "HERE"
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(changed).replace('"HERE"', text or ""))
    with pytest.raises(TableError, match=r"settings.json is missing, damaged, or of another version") as caught:
        read_settings(file, kind, domain)
    assert f"dvc checkout --force train@{domain}" in caught.value.fix
    assert "\n" not in caught.value.what


@pytest.mark.parametrize("content", [b"", b"{half", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_settings_file_is_told(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(content)
    with pytest.raises(TableError, match="damaged"):
        read_settings(file, RetinaCalibration, "retina")
    file.unlink()
    with pytest.raises(TableError, match="missing"):
        read_settings(file, RetinaCalibration, "retina")


def test_a_librarys_words_about_a_models_file_become_one_message(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="missing, damaged, or of another version: .*plan.npy"), \
            model_files(tmp_path, "plants"):  # fmt: skip
        np.load(tmp_path / "plan.npy")
    with pytest.raises(TableError, match="plan holds values that are not finite"), model_files(tmp_path, "plants"):
        finite({"whole": np.ones(2), "plan": np.array([1.0, np.nan])})
    with pytest.raises(WinnowError, match="^own words$"), model_files(tmp_path, "plants"):
        raise WinnowError("own words")
