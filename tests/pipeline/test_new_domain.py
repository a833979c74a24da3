"""A domain of one's own, as `winnow new` writes it: it runs, the tests over all domains cover it, and files come in."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.conftest import ROOT
from tests.pipeline.conftest import Clone, new_clone


@pytest.fixture
def with_geysers(tmp_path: Path) -> Clone:
    """This checkout and a new domain."""
    clone = new_clone(tmp_path / "clone")
    told = clone.run("winnow", "new", "geysers").stdout
    assert "dvc repro plot@geysers" in told
    return clone


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """This checkout, for commands that must change nothing."""
    return new_clone(tmp_path_factory.mktemp("untouched") / "clone")


def test_the_linters_and_the_tests_over_all_domains_accept_a_new_one(with_geysers: Clone) -> None:
    changed = with_geysers.run("git", "status", "--short").stdout
    for path in ("params.yaml", "params.schema.json", "dvc.yaml", "stages/geysers/", "src/winnow/domains/geysers/"):
        assert path in changed
    assert "toy" not in with_geysers.run("git", "diff").stdout
    assert not list(with_geysers.root.glob("src/winnow/domains/toy"))
    with_geysers.run("ruff", "check", "src", "stages", "tests")
    with_geysers.run("ruff", "format", "--check", "src", "stages", "tests")
    with_geysers.run("mypy", "--cache-dir", str(ROOT / ".mypy_cache"))
    with_geysers.run("lint-imports", "--no-cache")
    elsewhere = [f"tests/{name}.py" for name in ("test_docs", "library/test_cli", "library/workspace/test_validation")]
    elsewhere.append("tests/library/pipeline/test_code.py")
    over_all = "sections or printed or round_trip or every_field or every_block or schema or listed"
    chosen = f"geysers or test_code or ((test_docs or test_cli or test_validation) and ({over_all}))"
    told = with_geysers.run("python", "-m", "pytest", "-q", "tests/stages", *elsewhere, "-k", chosen).stdout
    assert int(told.split(" passed")[0].split()[-1]) >= 60


def test_a_new_domain_runs_through_all_eight_stages_and_reads_files(with_geysers: Clone) -> None:
    with_geysers.run("dvc", "repro", "plot@geysers")
    verdict = json.loads((with_geysers.root / "metrics/geysers/evaluate.json").read_text())
    assert verdict["verdict"] == "PASS", verdict
    assert verdict["mae_high"] < verdict["mae_baseline"]
    assert (with_geysers.root / "data/geysers/plot/error_by_group.png").stat().st_size > 1000
    assert "didn't change, skipping" in with_geysers.run("dvc", "repro", "plot@geysers").stdout
    assert not (with_geysers.root / "data/climb").exists()

    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(600, 2)), columns=["wind", "moon"])
    rows["height"] = rows["moon"] ** 2 + 0.1 * rows["wind"]
    rows["harbour"] = rng.integers(0, 40, 600).astype("str")
    rows.loc[3, "height"] = None
    rows.to_csv(with_geysers.root / "data/source/geysers/harbours.csv", index=False)
    columns = {"group": "harbour", "target": "height", "features": ["moon", "wind"]}
    file = "data/source/geysers/harbours.csv"
    with_geysers.override({"geysers.ingest.sources": [{"path": file}], "geysers.ingest.columns": columns})
    with_geysers.run("dvc", "repro", "plot@geysers")
    told = with_geysers.run("winnow", "status").stdout
    assert "1 source, current" in told
    ingest = json.loads((with_geysers.root / "metrics/geysers/ingest.json").read_text())
    assert (ingest["rows_kept"], ingest["rows_rejected"]) == (599, 1)
    assert "no target" in with_geysers.run("winnow", "rows", "geysers").stdout
    split = pd.read_parquet(with_geysers.root / "data/geysers/split/splits.parquet").set_index("row_id")["split"]
    harbours = rows["harbour"].set_axis([f"harbours.csv:{number}" for number in rows.index])[split.index]
    assert split.groupby(harbours).nunique().max() == 1
    rows.dropna().to_csv(with_geysers.root / file, index=False)
    with_geysers.run("dvc", "repro", "filter@geysers")
    whole = json.loads((with_geysers.root / "metrics/geysers/ingest.json").read_text())
    assert (whole["rows_kept"], whole["rows_rejected"]) == (599, 0)
    rows.to_csv(with_geysers.root / file, index=False)
    (with_geysers.root / "two.csv").write_text("wind,moon\n0,2\n0,0\n")
    high, low = with_geysers.run("winnow", "geysers", "predict", "two.csv").stdout.split()
    assert float(high) == pytest.approx(4, abs=0.8)
    assert float(low) == pytest.approx(0, abs=0.8)
    (with_geysers.root / "two.csv").write_text("wind\n0\n")
    assert "moon" in with_geysers.run("winnow", "geysers", "predict", "two.csv", expect=1).stderr
    (with_geysers.root / "two.csv").write_text("moon,wind\n1,0\n,0\ninf,0\nhigh,0\n2,0\n")
    done = with_geysers.run("winnow", "geysers", "predict", "two.csv", "--json")
    answers = [each["predicted"] for each in json.loads(done.stdout)]
    assert answers == [pytest.approx(1, abs=0.8), None, None, None, pytest.approx(4, abs=0.8)]
    assert "no prediction of row 1, 2, 3" in done.stderr
    (with_geysers.root / "two.csv").write_text("moon,wind\n1,0,\n2,0,\n")
    assert "more cells than its header" in with_geysers.run("winnow", "geysers", "predict", "two.csv", expect=1).stderr

    tests = [f"tests/stages/{name}.py" for name in ("test_model_carries_its_use", "test_test_side_is_never_seen")]
    told = with_geysers.run("python", "-m", "pytest", "-q", *tests, "-k", "geysers").stdout
    assert "failed" not in told, "the tests run on the embedded data, whose columns now have the file's names"
    columns["features"] = ["moon", "height"]
    with_geysers.override({"geysers.ingest.columns": columns})
    refused = with_geysers.run("dvc", "repro", "check", expect=None)
    assert "not the target" in refused.stdout + refused.stderr


@pytest.mark.parametrize(
    "name",
    [
        "climb",
        "Tides",
        "two-words",
        "class",
        "../x",
        "status",
        "seed",
        "domains",
        "common",
        "load",
        "check",
        "source",
        "code",
    ],
)
def test_a_name_that_cannot_be_is_refused_and_nothing_written(untouched: Clone, name: str) -> None:
    done = untouched.run("winnow", "new", name, expect=1)
    assert name in done.stderr
    assert untouched.run("git", "status", "--short").stdout == ""


def test_comments_of_params_and_dvc_stay(with_geysers: Clone) -> None:
    for name in ("params.yaml", "dvc.yaml"):
        before = subprocess.run(
            ["git", "show", f"HEAD:{name}"], cwd=with_geysers.root, check=True, capture_output=True, text=True
        ).stdout
        after = (with_geysers.root / name).read_text()
        lines = iter(after.splitlines())
        assert all(line in lines for line in before.splitlines()), f"a line of {name} is gone, or moved"
        assert yaml.safe_load(after)
