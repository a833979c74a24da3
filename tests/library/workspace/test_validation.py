"""params.yaml as a whole: mistakes that only show when sections, files and the machine are seen together."""

import re
import subprocess
import sys
from collections.abc import Callable
from functools import reduce
from itertools import pairwise
from operator import getitem
from pathlib import Path

import pytest
from dvc.utils.serialize import modify_yaml
from ruamel.yaml import YAML

from stages import check
from tests.conftest import ROOT
from winnow.pipeline import presets
from winnow.pipeline.errors import ParamsError
from winnow.pipeline.params import Document
from winnow.workspace.validation import validate_params

SHARED = ("articles", "climb", "documents", "retina")
"""Domains whose split has shares of all rows."""


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = Path("params.yaml")
    file.write_bytes((ROOT / "params.yaml").read_bytes())
    return file


def line_of(file: Path, text: str) -> int:
    (line,) = (
        number
        for number, each in enumerate(file.read_text().splitlines(), start=1)
        if each.split("  #")[0].strip() == text
    )
    return line


def test_the_committed_params_are_valid(params: Path) -> None:
    validate_params(Document(params))


def test_params_are_validated_without_what_trains_and_measures(params: Path) -> None:
    """`check` runs before every `dvc repro`: torch, scipy and scikit-learn take it from one second to three."""
    program = """
import sys
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.workspace.validation import validate_params
validate_params(Document(PARAMS_FILE))
print(sorted({"torch", "scipy.stats", "scipy.optimize", "sklearn", "transformers", "cv2"} & sys.modules.keys()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=params.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_a_batch_that_devices_and_micro_batches_cannot_divide(params: Path) -> None:
    presets.apply(
        {"runtime.devices": 2, "climb.train.batch_size": 66, "climb.train.gradient_accumulation_steps": 4}, params
    )
    with pytest.raises(ParamsError, match=r"`climb.train.batch_size`: 66 rows cannot be divided evenly") as caught:
        validate_params(Document(params))
    assert f"params.yaml:{line_of(params, 'batch_size: 66')}: " in str(caught.value)
    assert "use a multiple of 8" in str(caught.value)


def test_check_refuses_what_no_section_tells_alone(params: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "program_digests", dict)
    Path("data/code/climb").mkdir(parents=True)
    recorded = Path("data/code/climb/train.json")
    recorded.touch()
    presets.apply({"runtime.devices": 7, "climb.train.batch_size": 64}, params)
    with pytest.raises(ParamsError, match=r"64 rows cannot be divided evenly into 7 devices"):
        check.main()
    assert recorded.exists(), "nothing was written anew"
    presets.apply({"runtime.devices": 1}, params)
    check.main()
    assert Path("data/params.ok").exists()
    assert not recorded.exists(), "the code of a program that is gone"


@pytest.mark.parametrize(
    ("section", "names", "left"),
    [
        *((f"{domain}.split", ("val_share", "test_share"), "nothing is left to train on") for domain in SHARED),
        ("sessions.split", ("val_ratio", "test_ratio"), "nothing is left to train on"),
        ("articles.ingest.synthetic", ("on_topic_share", "edge_share"), "no article is off-topic"),
    ],
)
def test_two_shares_that_leave_nothing_for_the_third(
    params: Path, section: str, names: tuple[str, str], left: str
) -> None:
    presets.apply({f"{section}.{name}": value for name, value in zip(names, (0.5, 0.25), strict=True)}, params)
    validate_params(Document(params))
    presets.apply({f"{section}.{names[1]}": 0.5}, params)
    with pytest.raises(ParamsError, match=rf"`{section}`(.|\n)*{' and '.join(names)} sum to 1 or more: {left}"):
        validate_params(Document(params))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("climb.train.init_from", "data/climb/train/checkpoints/best"),
        ("climb.train.init_from", "data/source/climb/models/../../climb/best"),
        ("climb.train.init_from", "data/source/climb"),
        ("retina.train.init_from", "data/source/climb/models/best"),
        ("retina.train.network.weights", "weights.pth"),
    ],
)
def test_a_model_outside_the_folder_that_dvc_watches(params: Path, key: str, value: str) -> None:
    presets.apply({key: value}, params)
    with pytest.raises(ParamsError, match=rf"`{key}`: '{value}' is not below data/source/\w+/models"):
        validate_params(Document(params))


def test_a_model_that_does_not_exist_and_one_that_does(params: Path) -> None:
    presets.apply({"climb.train.init_from": "data/source/climb/models/best"}, params)
    with pytest.raises(ParamsError, match="data/source/climb/models/best does not exist"):
        validate_params(Document(params))
    models = Path("data/source/climb/models")
    models.mkdir(parents=True)
    Path("cached").touch()
    (models / "best").symlink_to(Path("cached").resolve())  # as DVC does with `cache.type symlink`
    validate_params(Document(params))
    (models / "best").unlink()
    (models / "best").mkdir()
    validate_params(Document(params))


@pytest.mark.parametrize(
    ("form", "genre", "refused"),
    [("lightgcn", None, True), ("events", None, True), ("events", "genre", False), ("lastfm_hetrec", None, False)],
)
def test_genre_gat_is_refused_before_any_stage_when_no_source_names_genres(
    params: Path, form: str, genre: str | None, refused: bool
) -> None:
    columns = {"header": True, "user": "user", "item": ["song"], "timestamp": None, "genre": genre}
    events = columns | {"skipped": None, "share_played": None} if form == "events" else None
    source = {"format": form, "path": "data/source/sessions/log.csv", "events": events}
    presets.apply({"sessions.ingest.sources": [source]}, params)
    validate_params(Document(params))
    presets.apply({"sessions.train.model": "genre_gat"}, params)
    if refused:
        with pytest.raises(ParamsError, match=r"`sessions`(.|\n)*sessions\.train\.model: gat"):
            validate_params(Document(params))
    else:
        validate_params(Document(params))


LINES = {text: line_of(ROOT / "params.yaml", text) for text in ("domains:", "seed: 20")}


def replaced(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert old.encode() in content
        return content.replace(old.encode(), new.encode("latin-1"), 1)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            replaced("- climb\n", "- climb\n- climb\n"),
            rf".*yaml:{LINES['domains:']}: `domains` is .*: climb is listed more than once",
        ),
        (replaced("seed: 20", "seed: 20 # \xe9"), r"params.yaml:\d+: byte 0xe9 is not valid UTF-8"),
        (
            replaced("seed: 20", "20: 20"),
            rf"the key `20` is not text\n.* params.yaml:{LINES['seed: 20']}",
        ),
        (replaced("seed: 20", "true: 20"), r"the key `true` is not text"),
        (replaced("seed: 20", "[a, b]: 20"), r"the key `a list or mapping` is not text"),
        (
            replaced("seed: 20", "seed: 2020-13-45"),
            rf"`seed` is `2020-13-45`: month must be in 1..12\n.* params.yaml:{LINES['seed: 20']}",
        ),
        (replaced("seed: 20", "seed: !mine 20"), r"`seed` is `20`: could not determine a constructor for the tag"),
        (replaced("seed: 20", "seed: !mine [20]"), r"params.yaml is not valid YAML: could not determine"),
        (replaced("seed: 20", "seed: &itself [*itself]"), r"params.yaml holds more than .* or refers to itself"),
    ],
)
def test_what_yaml_allows_and_params_do_not(params: Path, change: Callable[[bytes], bytes], message: str) -> None:
    params.write_bytes(change(params.read_bytes()))
    with pytest.raises(ParamsError) as caught:
        validate_params(Document(params))
    assert re.search(message, str(caught.value))
    assert "params.yaml" in str(caught.value)


def test_a_mistake_in_a_preset_names_the_line_of_the_preset(params: Path) -> None:
    preset = Path("presets/climb/mine.yaml")
    preset.parent.mkdir(parents=True)
    preset.write_text("# what it is for\ntrain:\n  epochs: 0\n  network:\n    widht: 8\n")
    with pytest.raises(ParamsError, match="`climb.train.epochs` is 0") as caught:
        validate_params(Document(params).overlaid(presets.read("climb", "mine"), ("climb",)))
    message = str(caught.value)
    assert "presets/climb/mine.yaml:3: `climb.train.epochs`" in message
    assert "presets/climb/mine.yaml:5: unknown key `climb.train.network.widht`; did you mean `width`?" in message
    assert "correct presets/climb/mine.yaml" in message
    assert "params.yaml:" not in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "# cut\nevaluate:\n  gate:\n    conditions:\n    - {metric: validity_score, target: 0.5}\n",
            r":5: .*\.review` is mis",
        ),
        ("# empty\ntrain: {}\n", r":2: `climb.train.epochs` is missing"),
    ],
)
def test_what_a_preset_leaves_out_is_reported_at_its_own_line(params: Path, text: str, message: str) -> None:
    """Although params.yaml has the key that the preset's list or mapping lacks."""
    preset = Path("presets/climb/mine.yaml")
    preset.parent.mkdir(parents=True)
    preset.write_text(text)
    with pytest.raises(ParamsError, match=rf"presets/climb/mine.yaml{message}") as caught:
        validate_params(Document(params).overlaid(presets.read("climb", "mine"), ("climb",)))
    assert "params.yaml" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("climb.evaluate.gate.headline", "accuracy", "'accuracy' is not measured; known: token_loss, perplexity"),
        ("retina.train.early_stopping.metric", "recall_at_10", "is not a validation metric; known: loss, quadratic"),
        (
            "sessions.evaluate.gate.conditions",
            [{"metric": name, "target": 0.5, "review": 0.1} for name in ("recall_at_10", "recall_at_11")],
            r"conditions\[1\].metric`: 'recall_at_11' is not measured",
        ),
    ],
)
def test_a_metric_that_the_domain_does_not_measure(params: Path, key: str, value: object, message: str) -> None:
    presets.apply({key: value}, params)
    with pytest.raises(ParamsError, match=message) as caught:
        validate_params(Document(params))
    assert f"`{key}" in str(caught.value)


def test_an_experiment_changes_its_own_line_of_params_yaml_alone(params: Path) -> None:
    """`dvc exp run -S` rewrites the whole file: comments, quotes and long texts must come back as they were."""
    before = params.read_text().splitlines()
    with modify_yaml(str(params)) as content:
        content["climb"]["train"]["epochs"] = 3
    after = params.read_text().splitlines()
    assert [line for line in after if line not in before] == ["    epochs: 3"]
    assert len(after) == len(before)


def test_every_block_of_params_yaml_has_a_comment(params: Path) -> None:
    lines = params.read_text().splitlines()
    blocks = [
        number
        for number, (line, below) in enumerate(pairwise(lines))
        if re.fullmatch(r" *\w+:", line) and re.match(r" *\w+:", below.replace("#", " "))
        if len(below) - len(below.lstrip(" ")) > len(line) - len(line.lstrip(" "))
    ]
    assert len(blocks) > 80
    assert [lines[number] for number in blocks if not lines[number - 1].lstrip().startswith("#")] == []
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("place", "old"),
    [
        ("climb.train.gradient_accumulation_steps", "accumulation"),
        ("climb.train.ema_decay", "averaging"),
        ("climb.train.max_grad_norm", "clip_norm"),
        ("climb.train.eval_samples", "curve_routes"),
        ("climb.train.keep_last", "keep"),
        ("climb.train.decoding", "sampling"),
        ("climb.train.init_from", "start_from"),
        ("climb.train.eval_every", "validate_steps"),
        ("documents.label.augmentation_share", "effects_share"),
        ("documents.train.network.tta_views", "test_views"),
        ("playlists.train.min_context_share", "late_cuts"),
        ("sessions.evaluate.explanation_checks", "truth_checks"),
        ("sessions.evaluate.baselines.als_iterations", "als_rounds"),
    ],
)
def test_a_name_of_an_earlier_version_is_told_its_new_one(params: Path, place: str, old: str) -> None:
    document = YAML(typ="safe").load(params)
    *parents, new = place.split(".")
    section = reduce(getitem, parents, document)
    section[old] = section.pop(new)
    YAML().dump(document, params)
    with pytest.raises(ParamsError) as caught:
        validate_params(Document(params))
    (problem,) = (line for line in str(caught.value).splitlines() if f"`{'.'.join(parents)}.{old}`" in line)
    assert f"`{new}`" in problem
    assert f"`{place}` is missing" not in str(caught.value), "one mistake, one message"
