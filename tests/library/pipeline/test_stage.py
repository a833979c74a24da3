"""The shell: sources stay in their folder, rows are accounted for, files and seeds depend on nothing else."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from winnow.pipeline import stage as stages
from winnow.pipeline.errors import SourceError, TableError, WinnowError
from winnow.pipeline.files import atomic_path, write_json
from winnow.pipeline.params import Runtime
from winnow.pipeline.section import Section
from winnow.pipeline.seeds import derive_seed
from winnow.pipeline.stage import Stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage[Section, Section]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/source/climb").mkdir(parents=True)
    runtime = Runtime(device="cpu", devices=1, num_workers=0, progress="none", cluster=None)
    return Stage("climb", "filter", Section(), Section(), runtime, seed=1)


def test_rows_that_do_not_add_up_stop_the_stage(stage: Stage[Section, Section]) -> None:
    with pytest.raises(TableError, match=r"10 rows came in, but 7 kept \+ 2 dropped = 9"):
        stage.account(10, kept=7, dropped=2)


def test_a_stage_that_does_not_say_where_its_rows_went_fails(stage: Stage[Section, Section]) -> None:
    with pytest.raises(TableError, match="did not account for its rows"):
        stage.finish()


def test_metrics_are_sorted_and_rounded(stage: Stage[Section, Section]) -> None:
    stage.account(3, kept=2, dropped=1)
    stage.metrics(share=np.float64(2 / 3), by_rule={"b": np.int64(1), "a": 0})
    stage.finish()
    text = Path("metrics/climb/filter.json").read_text()
    assert json.loads(text) == {
        "by_rule": {"a": 0, "b": 1},
        "rows_dropped": 1,
        "rows_in": 3,
        "rows_kept": 2,
        "share": 0.666667,
    }
    assert text.index('"a"') < text.index('"b"') < text.index('"rows_in"')


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "data/source/other/x.json", "data/source/climb/../other/x.json", "x.json"]
)
def test_a_source_outside_its_folder_is_refused(stage: Stage[Section, Section], path: str) -> None:
    with pytest.raises(SourceError, match="lies outside data/source/climb"):
        stage.source(path)


def test_a_file_that_dvc_has_linked_to_its_cache_is_read_and_one_behind_a_linked_folder_refused(
    stage: Stage[Section, Section],
) -> None:
    """DVC sees the target of a linked file change, and nothing behind a linked folder."""
    for name in (".dvc/cache/x.json", "elsewhere/x.json"):
        Path(name).parent.mkdir(parents=True)
        Path(name).touch()
    Path("data/source/climb/x.json").symlink_to(Path(".dvc/cache/x.json").resolve())
    Path("data/source/climb/linked").symlink_to(Path("elsewhere").resolve())
    assert stage.source("data/source/climb/x.json").is_file()
    with pytest.raises(SourceError, match="lies outside data/source/climb"):
        stage.source("data/source/climb/linked/x.json")
    with pytest.raises(SourceError, match="lies outside data/source/climb"):
        stage.source_folder("data/source/climb/linked")


def test_a_missing_source_names_what_is_there(stage: Stage[Section, Section]) -> None:
    Path("data/source/climb/other.json").touch()
    with pytest.raises(SourceError, match="does not exist") as caught:
        stage.source("data/source/climb/mine.json")
    assert "other.json" in str(caught.value)
    shutil.rmtree("data/source/climb")
    with pytest.raises(SourceError, match="does not exist") as caught:
        stage.source("data/source/climb/mine.json")
    assert "data/source/climb holds no data file" in str(caught.value)


def test_a_metric_that_is_not_a_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "metrics.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="half way"), atomic_path(target) as scratch:
        scratch.write_text("ne")
        raise RuntimeError("half way")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_seeds_differ_by_domain_stage_and_seed() -> None:
    seeds = {derive_seed(seed, domain, name) for seed in (1, 2) for domain in ("a", "b") for name in ("c", "d")}
    assert len(seeds) == 8
    assert derive_seed(1, "a", "c") == derive_seed(1, "a", "c") < 2**63


@pytest.mark.parametrize("write", ["output", "judgement", "finish"])
def test_an_orphaned_stage_writes_nothing(
    stage: Stage[Section, Section], monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    stage.account(1, kept=1)
    monkeypatch.setenv("WINNOW_PARENT", str(os.getpid()))  # not its own parent
    writes = {
        "output": lambda: stage.output("table.parquet"),
        "judgement": lambda: stage.judgement({"verdict": "PASS"}),
        "finish": stage.finish,
    }
    with pytest.raises(WinnowError, match="the `dvc` that started this stage was killed"):
        writes[write]()
    assert not Path("metrics").exists()
    assert not Path("data/climb").exists()


def test_params_of_the_same_bytes_are_not_parsed_again(
    stage: Stage[Section, Section], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests of errors show that other ones are."""
    parsed: list[object] = []
    monkeypatch.setattr(stages, "load_stage", lambda *given: parsed.append(given) or stage)
    stage.written = "seed: 1\n"
    for text, times in ((b"seed: 1\n", 0), (b"seed: 1\r\n", 1), (b"seed: 1 \n", 2)):
        (tmp_path / "params.yaml").write_bytes(text)
        stages.check_params_unchanged(stage)
        assert len(parsed) == times, text
    (tmp_path / "params.yaml").unlink()
    stages.check_params_unchanged(stage)
    assert len(parsed) == 3
