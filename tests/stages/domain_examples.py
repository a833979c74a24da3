"""What the tests over all domains need to know of each one: example commands of `winnow DOMAIN`, and other params.

A new domain adds an entry to `EXAMPLES`, and every test that is parametrised over domains covers it.
"""

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from winnow.domains.articles.params import Bound, Gates
from winnow.domains.articles.tables import Articles, Scores
from winnow.domains.articles.tables import Labels as ArticlesLabels
from winnow.domains.climb import definitions as climb
from winnow.domains.climb.tables import Labels as ClimbLabels
from winnow.domains.climb.tables import Tokens as ClimbTokens
from winnow.domains.documents.source.synthetic import draw_page
from winnow.domains.documents.tables import Labels as DocumentsLabels
from winnow.domains.documents.tables import Measures
from winnow.domains.playlists.tables import Splits as PlaylistSplits
from winnow.domains.retina import definitions as retina
from winnow.domains.retina.source.fundus import draw_fundus
from winnow.domains.retina.tables import Labels as RetinaLabels
from winnow.domains.retina.tables import Photos
from winnow.domains.sessions.tables import Interactions, Splits
from winnow.images.store import read_images, write_images
from winnow.pipeline.tables import read_table, write_table


@dataclass(frozen=True)
class Example:
    """One domain."""

    commands: Callable[[], list[list[str]]]
    """in a folder where the domain was trained: writes the input files the commands need, and returns the commands,
    every verb with `--json` where it has it; files that a command writes go to `out/`"""
    poison: Callable[[], list[Any]]
    """in a folder where all stages ran: gives part of the test rows other content, in the tables that evaluate reads;
    returns the keys of the test rows that keep theirs"""
    predictions: tuple[tuple[str, str], ...]
    """evaluate's tables that hold predictions of test rows, with the column of the key"""
    other_verbs: frozenset[str] = frozenset()
    """verbs that use no trained model; the domain's own tests cover them"""
    values: Mapping[str, Any] = field(default_factory=dict)
    """another valid value of a param (`ingest.sources`) where the tests cannot find one themselves"""
    matters_when: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """values of the same section under which a param does something, where it does nothing with the preset `tiny`"""
    changes_no_byte: Mapping[str, str] = field(default_factory=dict)
    """params that are not expected to change a byte of their stage's results, and why"""
    smaller: Mapping[str, Any] = field(default_factory=dict)
    """values of ingest with which ingest and train take less time than with the preset `tiny`"""


def unmoved(**changes: Any) -> dict[str, dict[str, Any]]:
    """Contexts of what matters when validation gets no better: of a training whose weights hardly change.

    A metric that counts correct rows is then never better than at first; for other metrics, give `changes`.
    """
    training = {"learning_rate": 1e-7, "ema_decay": 0.0, "epochs": 3, **changes}
    plateau = training | {"scheduler": {"name": "plateau", "patience": 0, "minimum": 0.0}}
    return {
        "train.select": training | {"select": "best"},
        "train.scheduler.factor": plateau,
        "train.scheduler.patience": plateau,
    }


def climb_commands() -> list[list[str]]:
    rng = np.random.default_rng(0)
    columns = list("ABCDEFGHIJK")
    rows = [
        {
            "Grade": ("6B", "6C+", "7A")[number % 3],
            "Moves": [f"{rng.choice(columns)}{row}" for row in (4, 6, 9, 11, 14, 18)],
            "UserRating": 2,
        }
        for number in range(12)
    ]
    Path("export.json").write_text(json.dumps(rows))
    generate = ["generate", "--grade", "6B+", "--count", "3"]
    return [
        [*generate, "--json"],
        [*generate, "--seed", "1", "--png", "out/routes.png"],
        ["evaluate", "export.json", "--json"],
    ]


def documents_commands() -> list[list[str]]:
    rng = np.random.default_rng(0)
    folder = Path("scans")
    folder.mkdir(exist_ok=True)
    rows = ["filename,quality_score,quality_class,issues"]
    for kind, score in (("letter", 0.9), ("table", 0.1), ("receipt", 0.5), ("form", 0.75)):
        page = Image.fromarray(draw_page(kind, 300, rng))
        page.point(lambda value, score=score: 255 - (255 - value) * score).save(folder / f"{kind}.png")
        rows.append(f"{kind}.png,{score},,{'low_contrast' if score < 0.8 else ''}")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    Image.open(folder / "form.png").save("two.pdf", save_all=True, append_images=[Image.open(folder / "table.png")])
    return [
        ["assess", "scans", "two.pdf", "--explain", "out", "--json"],
        ["assess", "scans/letter.png"],
        ["evaluate", "scans", "--json"],
    ]


def retina_commands() -> list[list[str]]:
    for number in range(6):
        target = Path("eyes", str(number % 3), f"{number}.png")
        target.parent.mkdir(parents=True, exist_ok=True)
        eye = draw_fundus(number % 3, True, 90, np.random.default_rng(number))
        eye.save(target)
    return [
        ["grade", "eyes/0", "eyes/1", "eyes/2", "--explain", "out", "--json"],
        ["evaluate", "eyes", "--json"],
    ]


def sessions_commands() -> list[list[str]]:
    users = pd.read_parquet("data/sessions/label/users.parquet")["user"]
    plays = pd.read_parquet("data/sessions/ingest/plays.parquet")
    some = plays[plays["user"].isin(users[:15])]
    some.assign(listener="new " + some["user"]).to_csv("others.csv", columns=["listener", "song"], index=False)
    songs = pd.read_parquet("data/sessions/label/songs.parquet")["song"]
    return [
        ["recommend", users[3], "--k", "5", "--json"],
        ["recommend", "--likes", f"{songs[2]},{songs[7]}", "--k", "3", "--explain"],
        ["recommend", "--likes", songs[2], "--k", "3", "--json"],
        ["evaluate", "others.csv", "--user-column", "listener", "--item-column", "song", "--json"],
    ]


def playlists_commands() -> list[list[str]]:
    tracks = pd.read_parquet("data/playlists/label/tracks.parquet")
    artists = pd.read_parquet("data/playlists/label/artists.parquet")["artist"]
    names = [f"{artists[row.artist_index]} - {row.title}" for row in tracks.itertuples()]
    entries = pd.read_parquet("data/playlists/filter/entries.parquet")
    some = entries[entries["playlist"].isin(entries["playlist"].unique()[:12])]
    some = some[some.duplicated("playlist")]  # without its first track it is not the playlist of the training
    playlists = [
        {
            "pid": int(number),
            "name": f"list {number}",
            "tracks": [
                {"track_uri": row.track, "track_name": row.title, "artist_name": row.artist} for row in own.itertuples()
            ],
        }
        for number, own in some.groupby("playlist")
    ]
    Path("mpd.slice.0-11.json").write_text(json.dumps({"playlists": playlists}))
    rows = [f'"{row.playlist}","{row.artist}","{row.title}","mine"' for row in some.itertuples()]
    Path("others.csv").write_text("\n".join(['"user_id", "artistname", "trackname", "playlistname"', *rows]) + "\n")
    return [
        ["complete", "--tracks", f"{names[3]}; {tracks['track'][7]}; {names[11].upper()}", "--k", "5", "--json"],
        ["complete", "--tracks", names[2], "--k", "3", "--explain"],
        ["evaluate", "mpd.slice.0-11.json", "--json"],
        ["evaluate", "others.csv", "--holdout", "3"],
    ]


def climb_poison() -> list[str]:
    """Give every other test route another grade and quality, and take its first hold away.

    The longest keeps its own: with shorter batches the last bits of a likelihood change.
    """
    labels_file, tokens_file = (Path(f"data/climb/label/{name}.parquet") for name in ("labels", "tokens"))
    labels, tokens = pd.read_parquet(labels_file), pd.read_parquet(tokens_file)
    splits = pd.read_parquet("data/climb/split/splits.parquet")
    holds = tokens["route_id"].value_counts()
    tested = sorted(splits.loc[splits["split"] == "test", "route_id"], key=lambda name: (-holds[name], name))
    changed = labels["route_id"].isin(tested[1::2])
    labels.loc[changed, "grade_index"] = len(climb.GRADES) - 1 - labels.loc[changed, "grade_index"]
    labels.loc[changed, "grade"] = [climb.GRADES[index] for index in labels.loc[changed, "grade_index"]]
    labels.loc[changed, "quality"] = "high"
    shortened = tokens["route_id"].isin(tested[1::2]) & (tokens["position"] == 0)
    tokens = tokens[~shortened].copy()
    tokens["position"] = tokens.groupby("route_id").cumcount()
    write_table(labels_file, labels, ClimbLabels)
    write_table(tokens_file, tokens, ClimbTokens)
    return tested[::2]


def documents_poison() -> list[str]:
    """Give every other test image another score and class, other measures, and another image's picture."""
    labels_file, measures_file = (Path(f"data/documents/label/{name}.parquet") for name in ("labels", "measures"))
    labels, measures = pd.read_parquet(labels_file), pd.read_parquet(measures_file)
    splits = pd.read_parquet("data/documents/split/splits.parquet")
    tested = sorted(splits.loc[splits["split"] == "test", "image_id"])
    changed = labels["image_id"].isin(tested[::2])
    labels.loc[changed, "score"] = 1 - labels.loc[changed, "score"]
    labels.loc[changed, "label"] = 4 - labels.loc[changed, "label"]
    measures.loc[measures["image_id"].isin(tested[::2]), measures.columns[1:]] = 1.0
    store = Path("data/documents/label/images.arrow")
    images = read_images(store)
    other = dict(zip(tested[::2], reversed(tested[::2]), strict=True))
    with write_images(store) as writer:
        for name in images.ids:
            writer.add(name, images.select([other.get(name, name)])[0])
    write_table(labels_file, labels, DocumentsLabels)
    write_table(measures_file, measures, Measures)
    return tested[1::2]


def retina_poison() -> list[str]:
    """Give every other test photograph another grade, other measures, and another photograph's picture."""
    labels_file, photos_file = Path("data/retina/label/labels.parquet"), Path("data/retina/ingest/photos.parquet")
    labels, photos = pd.read_parquet(labels_file), pd.read_parquet(photos_file)
    splits = pd.read_parquet("data/retina/split/splits.parquet")
    tested = sorted(splits.loc[splits["split"] == "test", "image_id"])
    changed = labels["image_id"].isin(tested[::2])
    labels.loc[changed, "grade"] = 4 - labels.loc[changed, "grade"]
    labels.loc[changed, "referable"] = labels.loc[changed, "grade"] >= retina.REFERABLE_FROM
    photos.loc[photos["image_id"].isin(tested[::2]), ["red", "green", "blue", "sharpness", "brightness"]] = 1.0
    store = Path("data/retina/ingest/images.arrow")
    images = read_images(store)
    other = dict(zip(tested[::2], reversed(tested[::2]), strict=True))
    with write_images(store) as writer:
        for name in images.ids:
            writer.add(name, images.select([other.get(name, name)])[0])
    write_table(labels_file, labels, RetinaLabels)
    write_table(photos_file, photos, Photos)
    return tested[1::2]


def sessions_poison() -> list[int]:
    """Give every other user with test songs (cold-start users too) other songs to be found, as if they had played them.

    Gives the numbers of the users that keep theirs: their rows of `evaluate/ranked.parquet` must not change.
    """
    rng = np.random.default_rng(0)
    splits_file, pairs_file = (
        Path("data/sessions/split/splits.parquet"),
        Path("data/sessions/label/interactions.parquet"),
    )
    splits, pairs = read_table(splits_file, Splits), read_table(pairs_file, Interactions)
    songs = np.arange(len(pd.read_parquet("data/sessions/label/songs.parquet")))
    hidden = splits[splits["split"].isin(["test", "cold_target"])]
    users = hidden["user_index"].unique()
    for user in users[::2]:
        never_played = rng.permutation(np.setdiff1d(songs, splits.loc[splits["user_index"] == user, "song_index"]))
        old = hidden.loc[hidden["user_index"] == user, "song_index"].iloc[: len(never_played)]
        other = dict(zip(old, never_played, strict=False))
        for table in (splits, pairs):
            own = table["user_index"] == user
            table.loc[own, "song_index"] = table.loc[own, "song_index"].replace(other)
    write_table(splits_file, splits, Splits)
    write_table(pairs_file, pairs, Interactions)
    return sorted(map(int, users[1::2]))


def articles_commands() -> list[list[str]]:
    rows = [
        {"id": f"new-{n}", "title": "", "content": f"The {n} volunteers rebuilt the school together."} for n in range(9)
    ]
    Path("new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [["score", "new.jsonl"], ["score", "new.jsonl", "--out", "out/scores.jsonl"]]


def articles_poison() -> list[str]:
    """Give three of four test articles the same middling scores, another tier, another one's text and a new word.

    Whoever chose a penalty on them would choose a higher one: the mean is nearly right. A vocabulary that was made of
    them would hold the word.
    """
    folder = Path("data/articles")
    splits = pd.read_parquet(folder / "split/splits.parquet")
    tested = sorted(splits.loc[splits["split"] == "test", "article_id"])
    untouched = tested[::4]
    changed = sorted(set(tested) - set(untouched))
    labels, scores, articles = (
        pd.read_parquet(folder / name)
        for name in ("label/labels.parquet", "label/scores.parquet", "ingest/articles.parquet")
    )
    own = scores["article_id"].isin(changed)
    scores.loc[own, "score"] = 3.0
    own = labels["article_id"].isin(changed)
    labels.loc[own, "overall"] = 3.0
    labels.loc[own, "tier"] = "impact"
    texts = articles.set_index("article_id")[["title", "content"]]
    texts.loc[changed] = texts.loc[changed[::-1]].to_numpy()
    texts.loc[changed, "content"] += " qzxvjwk" * 100
    articles[["title", "content"]] = texts.to_numpy()
    write_table(folder / "label/labels.parquet", labels, ArticlesLabels)
    write_table(folder / "label/scores.parquet", scores, Scores)
    write_table(folder / "ingest/articles.parquet", articles, Articles)
    return untouched


def playlists_poison() -> list[int]:
    """Give every other test playlist other tracks to be found, as if it had gone on with them.

    Gives the numbers of the playlists that keep theirs: their rows of `evaluate/ranked.parquet` must not change.
    """
    rng = np.random.default_rng(0)
    file = Path("data/playlists/split/splits.parquet")
    splits = read_table(file, PlaylistSplits)
    trained = splits.loc[splits["split"] == "train", "track_index"].unique()
    playlists = splits.loc[splits["split"] == "test", "playlist_index"].unique()
    for playlist in playlists[::2]:
        own = splits["playlist_index"] == playlist
        others = rng.permutation(np.setdiff1d(trained, splits.loc[own, "track_index"]))
        hidden = own & (splits["split"] == "test")
        splits.loc[hidden, "track_index"] = others[: hidden.sum()]
    write_table(file, splits, PlaylistSplits)
    return sorted(map(int, playlists[1::2]))


EXAMPLES = {
    "articles": Example(
        commands=articles_commands,
        poison=articles_poison,
        predictions=(("predictions.parquet", "article_id"), ("baseline_predictions.parquet", "article_id")),
        other_verbs=frozenset({"calibrate", "label", "report"}),
        values={
            "common.definition": "sustainability_tech_deployment/v1",
            "ingest.sources": [{"format": "jsonl", "path": "data/source/articles/mine.jsonl"}],
            "filter.near_duplicate": 0.2,
            "filter.permutations": 16,
            "label.batch_size": 60,
            "label.oracle.max_characters": 700,
            "label.max_batches": 1,
            "label.calibration.on_topic": 12,
            "split.min_stratum": 200,
            "weight.method": "tier",
            "train.phases": [{"subset": "all", "epochs": 1, "learning_rate": 0.01}],
            "train.early_stopping.metric": "rmse",
            "train.lora.rank": 2,
            "train.lora.base_dtype": "bf16",
            "train.ridge_shares": [0.5],
            "train.ridge_alphas": [30.0],
            "evaluate.gate.headline": "rmse",
            "evaluate.ridge_alphas": [30.0],
        },
        matters_when={
            "filter.permutations": {"near_duplicate": 0.9},
            "label.batch_size": {"max_batches": 1, "batch_size": 50},
            "label.max_batches": {"batch_size": 60},
            "weight.max_ratio": {"method": "tier", "max_ratio": 1.2},
            "train.huber_delta": {"loss": "huber"},
            "train.max_length": {"max_length": 24},
            "train.lora.alpha": {"lora": {"rank": 2}},
            "train.lora.dropout": {"lora": {"rank": 2}},
            "train.lora.base_dtype": {"lora": {"rank": 2}},
            "train.ridge_alphas": {"ridge_shares": [0.5]},
            "train.ridge_features": {"ridge_shares": [0.5]},
            **unmoved(learning_rate=0.003, epochs=1, eval_every=1),
        },
        changes_no_byte={
            "label.max_cost_usd": "stops the stage, or does not; tests/stages/articles_oracle",
            "label.max_unlabelled_share": "stops the stage, or does not; tests/stages/articles_oracle",
            "label.calibration.tolerance": "judges the validation sample; tests/stages/articles_oracle",
            "label.calibration.off_topic": "draws the sample of the report; tests/stages/articles_oracle",
            "label.calibration.edge": "draws the sample of the report; tests/stages/articles_oracle",
            "label.calibration.seed": "draws the sample of the report; tests/stages/articles_oracle",
            "label.calibration.validation_seed": "draws the sample of the report; tests/stages/articles_oracle",
            "label.oracle.rationale": "changes what a server answers; tests/stages/articles_oracle",
            **dict.fromkeys(
                (f"label.calibration.gates.{each}.{end}" for each in Gates.model_fields for end in Bound.model_fields),
                "judges the samples: stops the stage, or does not; tests/stages/articles_oracle",
            ),
            "split.by_source": "tests/stages/test_articles_data.py",
            "split.keep_official": "drawn articles have no official split; tests/stages/test_articles_data.py",
            "train.subset": "there is one",
            "train.model_name": "another language model, larger than tiny; tests/stages/articles_model",
            "train.model_revision": "of a model on the hub; tests/stages/articles_model",
            "train.sharded": "of several devices; tests/stages/articles_model",
            "train.gradient_checkpointing": "computes the same twice; tests/stages/articles_model",
            "evaluate.batch_size": "memory only",
            **dict.fromkeys(
                (f"label.oracle.{name}" for name in (
                    "provider", "base_url", "temperature", "max_tokens", "concurrency", "timeout", "retries",
                    "parse_retries", "allow_plain_http", "max_tokens_field", "thinking_tokens", "reasoning_effort",
                    "answer_format", "extra_body", "prices.model", "prices.prompt", "prices.cached",
                    "prices.completion", "prices.thinking", "prices.batch_share", "batch_api.enabled",
                    "batch_api.max_requests", "batch_api.poll_interval",
                )),
                "of a server; tests/stages/articles_oracle",
            ),
        },
    ),
    "climb": Example(
        commands=climb_commands,
        poison=climb_poison,
        predictions=(("predictions.parquet", "route_id"),),
        values={
            "ingest.sources": [{"format": "minimal", "path": "data/source/climb/mine.json"}],
            "ingest.peers": [{"board": "2016", "path": "data/source/climb/peer.json"}],
            "train.subset": "quality",
            "train.phases": [{"subset": "quality", "epochs": 1, "learning_rate": 0.01}],
            "train.early_stopping.metric": "perplexity",
            "evaluate.gate.headline": "quality_perplexity",
        },
        matters_when={
            "plot.sheet_columns": {"sheet_columns": 2},
            **unmoved(early_stopping={"metric": "sample/unconstrained_validity_score"}),
        },
        changes_no_byte={
            "ingest.peers": "files of the user's; tests/library/domains/climb/test_source_peers.py",
            "evaluate.batch_size": "memory only",
        },
    ),
    "documents": Example(
        commands=documents_commands,
        poison=documents_poison,
        predictions=(("predictions.parquet", "image_id"), ("baseline_predictions.parquet", "image_id")),
        values={
            "ingest.sources": [{"format": "clean_pages", "path": "data/source/documents/mine"}],
            "ingest.synthetic.blank_share": 0.4,
            "ingest.synthetic.duplicate_share": 0.2,
            "filter.min_contrast": 230.0,
            "filter.min_ink_share": 0.05,
            "filter.max_hash_distance": 0,
            "weight.max_imbalance": 1.0,
            "train.subset": "easy",
            "train.phases": [{"subset": "easy", "epochs": 1, "learning_rate": 0.01}],
            "train.early_stopping.metric": "accuracy",
            "train.network.depths": 2,
            "train.network.views": [48],
            "evaluate.tree_rounds": 1,
            "evaluate.gate.headline": "rmse",
        },
        matters_when=unmoved(early_stopping={"metric": "accuracy"}),
        smaller={"synthetic": {"pages": 20}},
        changes_no_byte={
            **{f"filter.{name}": "warns of labelled pages; tests/stages/test_documents_data.py" for name in (
                "min_class_samples", "max_imbalance", "min_train_samples")},
            "label.read_copies": "seconds of OCR a page; tests/stages/test_documents_reading.py",
            "train.loss.readability": "of pages that an OCR has read; tests/stages/test_documents_reading.py",
            "split.keep_official": "drawn pages bring no split; tests/stages/test_documents_dataset.py",
            "split.min_stratum": "copies of a page have all classes, so that no stratum is small; tests/library/curate",
            "train.network.weights": "a file; tests/library/vision",
            "train.network.frozen_blocks": "asks for weights; tests/stages/test_documents_model.py",
            "evaluate.batch_size": "memory only",
        },
        other_verbs=frozenset({"dataset"}),
    ),
    "retina": Example(
        commands=retina_commands,
        poison=retina_poison,
        predictions=(("predictions.parquet", "image_id"), ("baseline_predictions.parquet", "image_id")),
        values={
            "train.familiar_share": 0.5,
            "ingest.sources": [{"format": "folders", "path": "data/source/retina/mine", "images": None}],
            "split.min_stratum": 200,
            "weight.max_class_weight": 1.5,
            "train.ema_decay": 0.0,
            "train.phases": [{"subset": "full", "epochs": 1, "learning_rate": 0.01}],
            "train.early_stopping.metric": "accuracy",
            "evaluate.gate.headline": "accuracy",
        },
        matters_when={"weight.effective_beta": {"method": "effective_number"}},
        smaller={"synthetic": {"photographs": 300}},
        changes_no_byte={
            "filter.max_dropped_share": "stops the stage, or does not; tests/stages/test_retina_data.py",
            "train.network.pooled_blocks": "asks for frozen blocks; tests/stages/test_retina_model.py",
            "label.neighbour_distance": "drawn photographs' names tell the patient; tests/stages/test_retina_data.py",
            "split.keep_official": "drawn photographs have no official split; tests/stages/test_retina_data.py",
            "train.subset": "the other one is for a last phase; tests/stages/test_retina_model.py",
            "train.network.weights": "a file; tests/library/vision",
            "train.network.frozen_blocks": "asks for weights; tests/stages/test_retina_model.py",
            "evaluate.batch_size": "memory only",
            "evaluate.overfit_gap": "nothing is overfitted after one epoch; tests/stages/test_retina_model.py",
            "evaluate.feature_baseline": "reads a network's weights; tests/stages/test_retina_model.py",
        },
    ),
    "sessions": Example(
        commands=sessions_commands,
        poison=sessions_poison,
        predictions=(("ranked.parquet", "user_index"),),
        values={
            "ingest.sources": [
                {"format": "lightgcn", "path": "data/source/sessions/train.txt", "events": None},
            ],
            "ingest.max_genres": 2,
            "filter.min_share_played": 0.9,
            "filter.repeat_seconds": 1_000_000,
            "filter.bot_plays_per_day": 30,
            "filter.min_user_songs": 20,
            "train.network.convolution": "SAGEConv",
            "filter.min_song_users": 25,
            "train.phases": [{"subset": "all", "epochs": 1, "learning_rate": 0.01}],
            "train.batch_size": 512,
            "train.early_stopping.metric": "ndcg_at_10",
            "train.network.min_listeners": 20,
            "train.validation_users": 20,
            "evaluate.gate.headline": "ndcg_at_10",
            "evaluate.baselines.knn_neighbours": [3],
            "evaluate.baselines.knn_shrink": [50.0],
            "evaluate.baselines.ease_l2": [1000.0],
            "evaluate.baselines.als_factors": [4],
            "evaluate.baselines.als_regularisation": [100.0],
            "evaluate.baselines.knn_asymmetry": [0.0],
            "evaluate.baselines.knn_user_exponents": [3.0],
            "train.network.filter_weight": [1.0],
            "train.network.blend_with": "item_knn",
            "train.network.knn_neighbours": 3,
            "train.network.knn_shrink": 50.0,
            "train.network.knn_asymmetry": 0.9,
            "evaluate.baselines.filter_factors": [4],
            "evaluate.baselines.filter_alphas": [0.05],
            "evaluate.baselines.filter_sharpenings": [2.5],
            "evaluate.baselines.als_alpha": [1.0],
        },
        matters_when={
            "train.mode": {
                "early_stopping": {"patience": 0}, "select": "last", "scheduler": {"name": "constant"},
            },
            "train.l2": {"l2": 0.1},
            **{
                f"train.network.knn_{name}": {"network": {"blend_with": "item_knn"}}
                for name in ("neighbours", "shrink", "asymmetry")
            },
        },
        changes_no_byte={"train.subset": "there is one", "evaluate.block": "memory only"},
    ),
    "playlists": Example(
        commands=playlists_commands,
        poison=playlists_poison,
        predictions=(("ranked.parquet", "playlist_index"),),
        values={
            "ingest.sources": [{"format": "mpd", "path": "data/source/playlists/mpd.slice.0-999.json"}],
            "label.genres_per_artist": 1,
            "split.max_playlists": 20,
            "train.phases": [{"subset": "all", "epochs": 1, "learning_rate": 0.01}],
            "train.early_stopping.metric": "ndcg_at_10",
            "train.validation_playlists": 15,
            "train.blend.weights": [2.0],
            "train.blend.distance": 50.0,
            "train.network.without": ["query"],
            "train.network.convolution": "SAGEConv",
            "evaluate.baselines.included": ["popularity", "stan"],
            "evaluate.baselines.genre_weights": [3.0],
            "evaluate.baselines.ordered_distances": [1.0],
            "evaluate.baselines.stan_lists": [2],
            "evaluate.baselines.stan_decays": [0.5],
            "evaluate.baselines.stan_spreads": [0.5],
            "evaluate.baselines.rules_reach": [1],
            "evaluate.baselines.sasrec_dims": [4],
            "evaluate.gate.headline": "ndcg_at_10",
            "evaluate.baselines.knn_neighbours": [3],
            "evaluate.baselines.knn_shrink": [50.0],
            "evaluate.baselines.ease_l2": [1000.0],
            "evaluate.baselines.ease_tracks": 50,
            "evaluate.baselines.als_factors": [2],
            "evaluate.baselines.als_regularisation": [100.0],
            "evaluate.baselines.als_alpha": [1.0],
            "evaluate.baselines.artist_weights": [5.0],
            "evaluate.baselines.recency_decays": [50.0],
            "evaluate.baselines.recency_floors": [2.0],
            "evaluate.baselines.filter_factors": [3],
            "evaluate.baselines.filter_alphas": [5.0],
            "evaluate.baselines.tuning_playlists": 15,
            "evaluate.test_playlists": 20,
        },
        matters_when={
            f"train.blend.{name}": {"blend": {"weights": [1.0]}}
            for name in ("neighbours", "shrink", "decay", "floor", "artist_weight", "genre_weight", "distance")
        }
        | {
            "train.early_stopping.min_delta": {
                "early_stopping": {"patience": 2, "metric": "ndcg_at_100"}, "epochs": 4
            },
        },
        changes_no_byte={
            "ingest.artist_genres": "a file of the user's; tests/stages/test_playlists.py",
            "evaluate.baselines.sasrec_epochs": "the best one counts; tests/library/domains/playlists/test_sasrec.py",
            "train.subset": "there is one",
            "evaluate.block": "memory only",
        },
    ),
}  # fmt: skip

for file in sorted(Path(__file__).parent.glob("example_*.py")):  # as `winnow new` writes them
    EXAMPLES[file.stem.removeprefix("example_")] = importlib.import_module(f"tests.stages.{file.stem}").EXAMPLE
