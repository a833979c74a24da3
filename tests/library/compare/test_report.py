"""What a report says of two revisions' results."""

import json
import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.library.compare.conftest import Write, git, perplexity, routes
from winnow.compare import report
from winnow.compare.report import as_records, write_report
from winnow.compare.revisions import Revision
from winnow.pipeline.errors import WinnowError


def test_the_report_shows_the_worst_parts_of_the_test_set(write: Write) -> None:
    write(routes(1.5, seed=1), 3.0, "one")
    parts = [
        {"by": "grade", "value": f"{value}", "rows": 9, "metric": "perplexity", "score": value} for value in range(9)
    ]
    pd.DataFrame(parts).to_parquet("data/climb/evaluate/slices.parquet")
    write(routes(1.3, seed=1), 2.0, "two")
    text = write_report(Revision("HEAD~1"), Revision("HEAD"), None)
    assert re.findall(r"\| grade (\d) \|", text) == ["8", "7", "6"], "high perplexity is bad"


def test_the_report_names_params_stages_and_the_verdict(write: Write) -> None:
    before, after = routes(1.5, seed=1), routes(1.3, seed=2)
    Path("metrics/climb").mkdir(parents=True)
    Path("metrics/climb/noise.json").write_text(json.dumps({"seeds": 5, "standard_deviation": {"perplexity": 0.01}}))
    write(before, perplexity(before), "one", epochs=1, note="<b>")
    write(after, perplexity(after), "two", epochs=2, note="@octocat | `x`")
    text = write_report(
        Revision("HEAD~1"), Revision("HEAD"), {"plot@climb": ["its code has changed"], "train@climb": ["params"]}
    )
    assert "| climb | PASS | perplexity " in text
    assert "🟢 better | train |" in text
    assert re.search(r"\| perplexity \| [\d.]+ \| [\d.]+ \| -[\d.]+ \(-[\d.]+ to -[\d.]+\) \|", text)
    assert "| train.epochs | 1 | 2 |" in text
    assert "- PASS: \\`x\\`" in text
    assert "**stale**: climb (train, plot)" in text
    head = subprocess.run(["git", "rev-parse", "--short=7", "HEAD"], check=True, capture_output=True, text=True).stdout
    assert f"HEAD ({head.strip()}) compared with" in text
    assert "@octocat" not in text
    assert "<b>" not in text.replace("<b>climb</b>", "")


def test_programs_are_told_what_the_report_says(write: Write) -> None:
    before, after = routes(1.5, seed=1), routes(1.3, seed=2)
    Path("metrics/climb").mkdir(parents=True)
    Path("metrics/climb/noise.json").write_text(json.dumps({"seeds": 5, "standard_deviation": {"perplexity": 0.01}}))
    write(before, perplexity(before), "one", epochs=1)
    judged = Path("metrics/climb/judgement.json")
    judged.write_text(judged.read_text().replace('"PASS"', '"REVIEW"'))
    git("commit", "-q", "-a", "--amend", "--no-edit")
    write(after, perplexity(after), "two", epochs=2)
    told = json.loads(json.dumps(as_records(Revision("HEAD~1"), Revision("HEAD"), "climb")))["domains"]["climb"]
    found = told["differences"][0]
    assert (found["metric"], found["decision"]) == ("perplexity", "better")
    assert (found["before"], found["after"]) == pytest.approx((perplexity(before), perplexity(after)), rel=1e-5)
    assert found["interval"]["low"] < found["change"] < found["interval"]["high"] < 0
    assert told["stages_run"] == ["train"]
    assert told["params"]["train.epochs"] == {"before": 1, "after": 2}
    assert told["verdict"] == {"before": "REVIEW", "after": "PASS"}
    text = write_report(Revision("HEAD~1"), Revision("HEAD"), None, domain="retina")
    assert "climb" not in text


def test_the_headline_is_not_counted_among_the_other_metrics_that_are_worse(write: Write) -> None:
    for loss, seed in ((1.5, 1), (1.6, 2)):
        write(routes(loss, seed), perplexity(routes(loss, seed)), "one")
    text = write_report(Revision("HEAD~1"), Revision("HEAD"), None)
    assert "| 🔴 worse | none |" in text


def test_stages_have_the_seconds_of_the_working_tree_alone(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "latest_seconds", lambda: {"train@climb": 7.0})
    write(None, 9.0, "one")
    write(None, 9.0, "two")
    assert "| train 7 s |" in write_report(Revision("HEAD~1"), Revision(None), None)
    assert "| train |" in write_report(Revision("HEAD~1"), Revision("HEAD"), None)


def test_a_difference_on_other_data_is_marked(write: Write) -> None:
    for value, digest in ((9.0, "a"), (12.0, "b"), (15.0, "b")):
        write(None, value, "one")
        lock = yaml.safe_load(Path("dvc.lock").read_text())
        lock["stages"]["ingest@climb"] = {"cmd": "ingest", "outs": [{"path": "data/climb/ingest", "md5": digest}]}
        Path("dvc.lock").write_text(yaml.safe_dump(lock))
        git("commit", "-q", "-a", "-m", "with its data")
    told = {base: write_report(Revision(base), Revision(None), None) for base in ("HEAD~4", "HEAD~2")}
    assert [", unpaired, other data |" in report for report in told.values()] == [True, False]
    assert ["_other data were ingested" in report for report in told.values()] == [True, False]


def test_a_revision_that_is_not_there(write: Write) -> None:
    write(None, 3.0, "one")
    with pytest.raises(WinnowError, match="there is no revision `nowhere`"):
        Revision("nowhere")
    with pytest.raises(WinnowError, match="name is empty"):  # `--base "$(git merge-base …)"` that found none
        Revision("")
    with pytest.raises(WinnowError, match="there is no revision `HEAD:dvc.lock`"):  # a file, no commit
        Revision("HEAD:dvc.lock")


def test_a_lock_without_stages(write: Write) -> None:
    write(None, 3.0, "one")
    Path("dvc.lock").write_text("schema: '2.0'\nstages:\n")
    assert "| climb | PASS | perplexity " in write_report(Revision("HEAD"), Revision(None), None)


@pytest.mark.parametrize("file", ["metrics/climb/judgement.json", "params.yaml"])
def test_a_file_that_cannot_be_read_is_named(write: Write, file: str) -> None:
    write(None, 3.0, "one")
    write(None, 3.0, "one")
    Path(file).write_text("{ not: [closed")
    with pytest.raises(WinnowError, match=f"{file} is not valid") as caught:
        write_report(Revision("HEAD"), Revision(None), None)
    assert "the working tree at " in str(caught.value)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("metrics/climb/judgement.json", "[]", "holds no names with values"),
        ("dvc.lock", "- a", "holds no names with values"),
        ("data/climb/evaluate/predictions.parquet", "cut off", "is not valid Parquet"),
        ("params.yaml", "domains: [climb]", r"has no climb\.evaluate\.gate\.headline"),
        ("params.yaml", "domains: [elsewhere]", "there is no domain `elsewhere` here"),
    ],
)
def test_a_file_that_holds_something_else_is_named(write: Write, file: str, content: str, message: str) -> None:
    write(routes(1.5, seed=1), 3.0, "one")
    Path(file).write_text(content)
    with pytest.raises(WinnowError, match=message) as caught:
        write_report(Revision("HEAD"), Revision(None), None)
    assert "the working tree at " in str(caught.value)


def test_a_param_that_yaml_reads_as_a_date_is_shown(write: Write) -> None:
    write(None, 3.0, "one")
    with Path("params.yaml").open("a") as params:
        params.write("since: 2026-01-31\n")
    assert '| since | null | "2026-01-31" |' in write_report(Revision("HEAD"), Revision(None), None)


def test_revisions_are_named_with_their_commits(write: Write) -> None:
    write(None, 3.0, "one")
    shown = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert Revision(None).title == f"the working tree at {shown[:7]}"
    assert Revision("main").title == f"main ({shown[:7]})"
    assert Revision(shown).title == shown[:7]


def test_imported_files_that_are_stale_are_named(write: Write) -> None:
    write(None, 3.0, "one")
    write(None, 3.0, "one")
    stale = {"data/source/climb/x.csv.dvc": ["has changed"], "train@climb": ["params"]}
    text = write_report(Revision("HEAD~1"), Revision("HEAD"), stale)
    assert "dvc.lock is **stale**: climb (train), data/source/climb/x.csv.dvc\n" in text


def test_params_are_shown_also_where_nothing_was_run_and_of_all_domains(write: Write) -> None:
    write(None, 3.0, "one", epochs=1)
    content = yaml.safe_load(Path("params.yaml").read_text())
    content |= {"domains": ["climb", "retina"], "runtime": {"device": "cuda"}, "retina": {"train": {"rate": 0.5}}}
    Path("params.yaml").write_text(yaml.safe_dump(content))
    git("commit", "-qam", "more")
    write(None, 3.0, "one", epochs=2)
    text = write_report(Revision("HEAD~1"), Revision("HEAD"), None)
    top, folded = text.split("<details>")
    assert "| retina | **removed** |  |  |  |" in top
    assert '| domains | ["climb", "retina"] | ["climb"] |'.replace("[", "\\[").replace("]", "\\]") in top
    assert '| runtime.device | "cuda" | null |' in top
    assert "| train.epochs | 1 | 2 |" in folded
    assert "retina" not in folded
