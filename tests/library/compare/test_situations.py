"""What `winnow compare` says in the situations that repositories get into, with real Git and DVC: the truth in each."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.library.compare.conftest import git
from winnow.cli import experiments as cli
from winnow.compare.noise import params_digest
from winnow.compare.report import as_records, write_report
from winnow.compare.revisions import Revision
from winnow.pipeline.errors import WinnowError
from winnow.workspace.status import stale_stages

MAKE = '''\
"""Stand-ins of three stages; the evaluation's numbers are made from the params alone."""

import json, sys
from pathlib import Path

from ruamel.yaml import YAML

params = YAML(typ="safe").load(Path("params.yaml"))["climb"]
match sys.argv[1]:
    case "split":
        Path("data/climb/split").mkdir(parents=True)
        Path("data/climb/split/sides").write_text(str(params["split"]["ids"]))
    case "train":
        Path("data/climb/train/model").mkdir(parents=True)
        Path("data/climb/train/model/weights").write_text(json.dumps(params["train"]))
    case "evaluate":
        sys.path.insert(0, sys.argv[2])
        from tests.library.compare.conftest import perplexity, routes

        trained = json.loads(Path("data/climb/train/model/weights").read_text())
        table = routes(trained["loss"], trained["seed"], int(Path("data/climb/split/sides").read_text()))
        Path("data/climb/evaluate").mkdir(parents=True)
        table.to_parquet("data/climb/evaluate/predictions.parquet")
        value = perplexity(table)
        model = {"perplexity": value, "validity_score": 0.9}
        bounds = {"perplexity": {"low": value - 0.4, "high": value + 0.4}}
        verdict = "PASS" if value < params["evaluate"]["gate"]["limit"] else "FAIL"
        judged = {"verdict": verdict, "reasons": [verdict], "model": model, "interval": bounds}
        Path("metrics/climb").mkdir(parents=True, exist_ok=True)
        Path("metrics/climb/judgement.json").write_text(json.dumps(judged))
        Path("metrics/climb/evaluate.json").write_text(json.dumps({"verdict": verdict, **model}))
'''
ROOT = Path(__file__).resolve().parents[3]
Set = Callable[..., None]


def stage(name: str, deps: list[str], outs: list[Any], params: list[str]) -> dict[str, Any]:
    command = f"{sys.executable} make.py {name} {ROOT}"
    return {"cmd": command, "deps": ["make.py", *deps], "outs": outs, "params": params}


def repro() -> None:
    subprocess.run(["dvc", "repro", "-q"], check=True)


def commit(message: str) -> None:
    git("add", "-A")
    git("commit", "-q", "-m", message)


def put(**values: Any) -> None:
    """Set values of climb's sections in params.yaml: `train={"loss": 1}`."""
    file = Path("params.yaml")
    params = yaml.safe_load(file.read_text())
    for section, each in values.items():
        params["climb"][section] |= each
    file.write_text(yaml.safe_dump(params))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits of a repository: `main~1`, and `main`, whose model is clearly better."""
    root = tmp_path_factory.mktemp("made") / "repository"
    root.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        git("init", "-q", "-b", "main")
        git("config", "user.name", "a")
        git("config", "user.email", "a@example.org")
        subprocess.run(["dvc", "init", "-q"], check=True)
        Path("make.py").write_text(MAKE)
        Path("params.yaml").write_text("domains: [climb]\nclimb: {split: {}, train: {}, evaluate: {}}\n")
        gate = {"headline": "perplexity", "limit": 9.0}
        put(split={"ids": 0}, train={"loss": 1.5, "seed": 1}, evaluate={"gate": gate})
        kept: list[Any] = [{f"metrics/climb/{name}.json": {"cache": False}} for name in ("evaluate", "judgement")]
        model, sides = "data/climb/train/model", "data/climb/split"
        stages = {
            "split@climb": stage("split", [], [sides], ["climb.split"]),
            "train@climb": stage("train", [], [model], ["climb.train"]),
            "evaluate@climb": stage("evaluate", [model, sides], ["data/climb/evaluate", *kept], ["climb.evaluate"]),
        }
        graph = {name.replace("@climb", ""): {"matrix": {"domain": ["climb"]}, **each} for name, each in stages.items()}
        Path("dvc.yaml").write_text(yaml.safe_dump({"stages": graph}, sort_keys=False))
        repro()
        commit("first")
        put(train={"loss": 1.4})
        repro()
        commit("second")
    return root


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to change, the working folder."""
    shutil.copytree(made, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def told(before: str, after: str | None = None) -> str:
    return write_report(Revision(before), Revision(after), None).replace("\\", "").replace("\u2060", "")


def line(report: str) -> list[str]:
    """The cells of climb's row: domain, verdict, headline metric, change, stages run."""
    return [cell.strip() for cell in next(row for row in report.splitlines() if "| climb |" in row).split("|")[1:-1]]


def value(revision: str) -> str:
    shown = subprocess.run(
        ["git", "show", f"{revision}:./metrics/climb/evaluate.json"], check=True, capture_output=True
    )
    return f"{json.loads(shown.stdout)['perplexity']:.4g}"


pytestmark = pytest.mark.usefixtures("here")


def test_a_change_of_the_working_tree_is_found(here: Path) -> None:
    put(train={"loss": 1.6})
    repro()
    found = told("main")
    before = f"{json.loads((here / 'metrics/climb/evaluate.json').read_text())['perplexity']:.4g}"
    assert line(found)[2] == f"perplexity {value('main')} → {before}"
    assert "| train.loss | 1.4 | 1.6 |" in found
    assert line(found)[4] == "train, evaluate" or line(found)[4].startswith("train ")


def test_before_and_after_are_not_swapped() -> None:
    git("tag", "old", "main~1")
    better, worse = told("old", "main"), told("main", "old")
    assert f"perplexity {value('main~1')} → {value('main')}" in better
    assert f"perplexity {value('main')} → {value('main~1')}" in worse
    changes = [
        [cell.strip() for cell in row.split("|")][4]
        for report in (better, worse)
        for row in report.splitlines()
        if row.startswith("| perplexity")
    ]
    assert changes[0].startswith("-")
    assert changes[1].startswith("+")


def test_the_verb_tells_of_what_was_named_first_as_before(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "enter_checkout", lambda *paths: paths)
    cli.compare("main~1", "main")
    assert line(capsys.readouterr().out)[2] == f"perplexity {value('main~1')} → {value('main')}"
    git("checkout", "-q", "main~1")
    subprocess.run(["dvc", "checkout", "-q"], check=True)
    cli.compare("main")
    assert line(capsys.readouterr().out)[2] == f"perplexity {value('main')} → {value('main~1')}"
    cli.report("main", None, None)
    assert line(capsys.readouterr().out)[2] == f"perplexity {value('main')} → {value('main~1')}"
    cli.compare("main~1", "main", as_json=True)
    headline = json.loads(capsys.readouterr().out)["domains"]["climb"]["headline"]
    shown = [f"{headline[when]['value']:.4g}" for when in ("before", "after")]
    assert shown == [value("main~1"), value("main")], "--json tells the revision that was named first as `before`"


def test_a_seed_alone_has_no_spread_until_it_was_measured() -> None:
    put(train={"seed": 2})
    repro()
    found = told("main")
    assert "⚪ not distinguishable" in line(found)[3]
    assert "spread over training seeds is not known" in found
    noise = {"seeds": 5, "standard_deviation": {"perplexity": 0.2}}
    Path("metrics/climb/noise.json").write_text(json.dumps(noise))
    found = told("main")
    assert "spread over training seeds is not known" not in found
    detectable = float(line(found)[3].partition("detectable: ")[2].rstrip(")"))
    assert 0.2 * 2**0.5 * (1.96 + 0.84) < detectable < 2 * 0.2 * 2**0.5 * (1.96 + 0.84), "with four degrees of freedom"


def test_noise_of_other_params_is_told() -> None:
    noise = {"seeds": 5, "standard_deviation": {"perplexity": 0.001}, "params": "0" * 64, "commit": "abcdef1234"}
    Path("metrics/climb/noise.json").write_text(json.dumps(noise))
    assert "measured at abcdef1, with other params than either" in told("main~1")
    for revision in ("main~1", "main"):
        noise["params"] = params_digest(Revision(revision).yaml("params.yaml"), "climb")
        Path("metrics/climb/noise.json").write_text(json.dumps(noise))
        assert "other params than either" not in told("main~1"), f"it was measured with the params of {revision}"


def test_noise_that_does_not_say_where_it_was_measured_is_told() -> None:
    noise = {"seeds": 5, "standard_deviation": {"perplexity": 0.001}}
    Path("metrics/climb/noise.json").write_text(json.dumps(noise))
    assert "measured before winnow noted where: winnow noise climb" in told("main~1")


def test_git_checkout_without_dvc_checkout_pairs_no_revision_with_itself() -> None:
    git("checkout", "-q", "main~1")
    found = told("main")
    assert line(found)[2] == f"perplexity {value('main')} → {value('main~1')}"
    assert "data/climb/evaluate was not read: it is not what dvc.lock says" in found
    assert "give" not in found, "what dvc.lock says was read, so that the predictions give the metrics"
    assert "compared unpaired" not in found
    subprocess.run(["dvc", "checkout", "-q"], check=True)
    after = told("main")
    assert "is not what dvc.lock says" not in after
    assert line(after)[:4] == line(found)[:4]


def test_stale_data_without_a_cache_are_not_used() -> None:
    git("checkout", "-q", "main~1")
    shutil.rmtree(".dvc/cache/files")
    found = told("main")
    assert "is not what dvc.lock says" in found
    assert "no stored predictions for main" in found
    assert "compared unpaired: perplexity" in found
    assert ", unpaired" in line(found)[3]


def test_without_dvc_lock_no_model_counts_as_the_same() -> None:
    for branch, start in (("a", "main~1"), ("b", "main")):
        git("checkout", "-q", "-b", branch, start)
        git("rm", "-q", "dvc.lock")
        commit("no lock")
    found = told("a", "b")
    assert "spread over training seeds is not known" in found
    assert line(found)[3] == "⚪ not distinguishable, unpaired"
    found = told("main")
    assert "data/climb/evaluate was not read: dvc.lock does not know it" in found


@pytest.mark.parametrize("name", ["evaluate", "judgement"])
def test_metrics_that_are_missing_are_named(name: str) -> None:
    Path(f"metrics/climb/{name}.json").unlink()
    found = told("main")
    assert f"metrics/climb/{name}.json, which its stage wrote by dvc.lock, is missing" in found
    assert "no change behind the verdict" not in found, "there is no verdict"


def test_a_lock_with_conflicts_is_no_half_written_one() -> None:
    git("checkout", "-q", "-b", "side", "main~1")
    put(train={"loss": 1.3})
    repro()
    commit("side")
    subprocess.run(["git", "merge", "-q", "main"], check=False, capture_output=True)
    for ask in (lambda: told("main"), stale_stages):
        with pytest.raises(WinnowError, match="conflicts of a merge or rebase") as refused:
            ask()
        assert "git checkout --ours dvc.lock" in str(refused.value.fix)
    assert f"perplexity {value('main')} → {value('side')}" in told("main", "side"), "what is committed has none"


def test_a_second_worktree_reads_its_own_files_and_the_cache(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("tag", "release/v1", "main~1")
    git("worktree", "add", "-q", "--detach", str(tmp_path / "second"), "release/v1")
    monkeypatch.chdir(tmp_path / "second")
    subprocess.run(["dvc", "cache", "dir", "--local", str(here / ".dvc/cache")], check=True)
    found = told("main")
    assert line(found)[2] == f"perplexity {value('main')} → {value('release/v1')}"
    assert "unpaired" not in found
    assert line(told("release/v1"))[3] == "unchanged"


def test_a_checkout_in_a_folder_of_a_larger_repository(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    larger, inner = tmp_path / "larger", tmp_path / "larger/models"
    shutil.copytree(here, inner, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    shutil.copytree(here / ".git", larger / ".git")
    monkeypatch.chdir(inner)
    commit("moved into a folder")
    put(train={"loss": 1.3})
    repro()
    first = line(told("HEAD"))
    assert first[2].startswith(f"perplexity {value('HEAD')} → "), "not a new domain"
    assert "unpaired" not in first[3], "the cache has the predictions of the commit"
    git("clone", "-q", "--depth", "1", f"file://{larger}", str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow/models")
    with pytest.raises(WinnowError, match="no revision") as refused:
        told("HEAD~1")
    assert "git fetch --unshallow" in str(refused.value.fix)


def test_programs_are_told_the_headlines_and_what_is_gone() -> None:
    put(evaluate={"gate": {"headline": "validity_score"}})
    record = as_records(Revision("main"), Revision(None))
    headline = record["domains"]["climb"]["headline"]
    assert [headline[when]["metric"] for when in ("before", "after")] == ["perplexity", "validity_score"]
    assert headline["after"]["value"] == 0.9
    Path("params.yaml").write_text("domains: []\n")
    assert as_records(Revision("main"), Revision(None))["removed"] == ["climb"]


def test_a_missing_cache_leaves_the_comparison_unpaired() -> None:
    shutil.rmtree(".dvc/cache/files")
    found = told("main~1", "main")
    assert "compared unpaired: perplexity (no stored predictions for main~1" in found
    assert ", unpaired" in line(found)[3]
    assert line(found)[2] == f"perplexity {value('main~1')} → {value('main')}"


def test_a_shallow_clone_is_told_how_to_get_its_history(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("clone", "-q", "--depth", "1", f"file://{here}", str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    with pytest.raises(WinnowError) as refused:
        told("HEAD~1")
    assert "git fetch --unshallow" in str(refused.value.fix)
    monkeypatch.chdir(here)
    with pytest.raises(WinnowError) as refused:
        told("HEAD~7")
    assert "unshallow" not in str(refused.value.fix)


def test_another_headline_is_named_beside_the_old_one() -> None:
    put(evaluate={"gate": {"headline": "validity_score", "limit": 9.0}})
    repro()
    found = line(told("main"))
    assert found[2] == f"perplexity {value('main')} → validity_score 0.9"
    assert found[3] == "another headline metric"


def test_a_domain_that_is_new_has_its_value() -> None:
    git("checkout", "-q", "-b", "without")
    git("rm", "-q", "-r", "metrics/climb", "dvc.lock")
    Path("params.yaml").write_text("domains: []\n")
    commit("no domain yet")
    found = line(told("without", "main"))
    assert found[:4] == ["climb", "PASS", f"perplexity {value('main')}", "**new**"]
    removed = told("main", "without")
    assert "| climb | **removed** |" in removed


def test_a_domain_that_was_not_evaluated_is_not_called_new_or_better() -> None:
    git("checkout", "-q", "-b", "unjudged")
    git("rm", "-q", "-r", "metrics/climb")
    commit("without results")
    found = line(told("main", "unjudged"))
    assert found[1] == "PASS → **none**"
    assert found[2] == f"perplexity {value('main')} → not evaluated"
    found = line(told("unjudged", "main"))
    assert found[1:4] == ["none → **PASS**", f"not evaluated → perplexity {value('main')}", ""], "it was there before"


def test_other_test_rows_are_not_paired() -> None:
    put(split={"ids": 7}, train={"loss": 1.5})
    repro()
    found = told("main")
    assert "the test set has changed" in found
    assert ", unpaired" in line(found)[3]


def test_an_experiment_is_a_revision() -> None:
    subprocess.run(
        ["dvc", "exp", "run", "-q", "--temp", "-n", "lower", "-S", "climb.train.loss=1.2"], check=True, timeout=120
    )
    found = told("main", "lower")
    assert "| train.loss | 1.4 | 1.2 |" in found
    shown = line(found)[2]
    assert shown.startswith(f"perplexity {value('main')} → ")
    assert float(shown.split()[-1]) < float(value("main"))
    assert "compared unpaired" not in found, "DVC's cache has the experiment's predictions"


def test_a_value_as_small_as_1e_5_is_one_value() -> None:
    subprocess.run(["dvc", "exp", "run", "-q", "-S", "climb.train.loss=1e-05"], check=True, timeout=120)
    assert "1e-05" in Path("params.yaml").read_text()
    commit("tiny")
    assert "train.loss" not in told("HEAD", None)
    assert "| train.loss | 1.4 | 1e-05 |" in told("main~1", "HEAD")


def test_a_detached_head_and_a_tag_are_revisions() -> None:
    git("checkout", "-q", "--detach", "main")
    git("tag", "v1", "main~1")
    assert line(told("v1", "HEAD"))[2] == f"perplexity {value('main~1')} → {value('main')}"
    assert "stages run |" in told("v1")


def test_a_dirty_tree_shows_its_params_and_no_change_of_results() -> None:
    put(train={"loss": 1.1})
    found = told("main")
    assert "| train.loss | 1.4 | 1.1 |" in found
    assert line(found)[2:] == [f"perplexity {value('main')}", "unchanged", "none"]


@pytest.mark.parametrize("revision", [None, "HEAD"])
def test_a_metric_that_was_edited_is_told(revision: str | None) -> None:
    judged = Path("metrics/climb/judgement.json")
    found = json.loads(judged.read_text())
    found["model"]["perplexity"] = 2.5
    judged.write_text(json.dumps(found))
    commit("better on paper")
    report = told("HEAD~1", revision)
    assert "metrics/climb/judgement.json is not what dvc.lock says that its stage wrote" in report
    assert "perplexity is 2.5 in judgement.json, but the stored predictions give" in report
    assert "judgement.json is not what" not in told("main~1", "main~1")


def test_predictions_that_do_not_give_the_stored_metric_are_told() -> None:
    file = Path("data/climb/evaluate/predictions.parquet")
    table = pd.read_parquet(file)
    file.unlink()  # may be a link into DVC's cache
    table.assign(nll=table["nll"] * 0.5).to_parquet(file)
    subprocess.run(["dvc", "commit", "-q", "-f", "evaluate@climb"], check=True)
    commit("other predictions")
    assert "but the stored predictions give" in told("main~1", "HEAD")
    assert "but the stored predictions give" in told("HEAD", "main~1"), "of the earlier revision too"


def test_a_file_that_was_damaged_in_the_cache_is_told() -> None:
    """Its rows in another order: the metrics are the same, but pairs of rows would be none."""
    file = Path("data/climb/evaluate/predictions.parquet")
    digest = hashlib.md5(file.read_bytes()).hexdigest()
    cached = Path(".dvc/cache/files/md5", digest[:2], digest[2:])
    table = pd.read_parquet(file)
    cached.unlink()  # may be a link to the working tree's
    table.iloc[::-1].to_parquet(cached)
    damaged = "data/climb/evaluate/predictions.parquet is damaged in DVC's cache"
    assert damaged in told("HEAD~1", "HEAD")
    assert damaged not in told("HEAD~1", "HEAD~1")


def test_a_verdict_that_flips_without_a_real_change_says_so() -> None:
    put(evaluate={"gate": {"headline": "perplexity", "limit": 1.0}})
    repro()
    found = line(told("main"))
    assert found[1] == "PASS → **FAIL**"
    assert "no change behind the verdict is distinguishable" in found[3]
    assert "no change behind" not in line(told("main~1", "main"))[3]


def test_a_merge_is_compared_with_each_parent() -> None:
    git("checkout", "-q", "-b", "side", "main~1")
    put(train={"loss": 1.3})
    subprocess.run(["dvc", "checkout", "-q"], check=True)
    repro()
    commit("side")
    git("checkout", "-q", "main")
    git("merge", "-q", "-X", "theirs", "-m", "merged", "side")
    subprocess.run(["dvc", "checkout", "-q"], check=True)
    found = told("main~1", "main")
    assert f"→ {value('side')}" in line(found)[2]
    assert "is not what" not in found


def test_nothing_changed() -> None:
    found = told("main", "main")
    assert line(found) == ["climb", "PASS", f"perplexity {value('main')}", "unchanged", "none"]
    assert "<details>" not in found
