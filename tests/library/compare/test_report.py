"""What a report says of two revisions' results."""

import json
import re
import shutil
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
    parts += [
        {"by": "grade", "value": "5", "rows": 9, "metric": "validity_score", "score": 99}
    ]  # which has not changed
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
    for ask in (as_records, lambda *args: write_report(*args[:2], None, domain=args[2])):
        with pytest.raises(WinnowError, match="neither revision runs retina"):
            ask(Revision("HEAD~1"), Revision("HEAD"), "retina")


def test_the_headline_is_not_counted_among_the_other_metrics_that_are_worse(write: Write) -> None:
    for loss, seed in ((1.5, 1), (1.6, 2)):
        write(routes(loss, seed), perplexity(routes(loss, seed)), "one")
    text = write_report(Revision("HEAD~1"), Revision("HEAD"), None)
    assert "| 🔴 worse | none |" in text


def test_results_of_another_python_or_of_other_packages_are_told(write: Write) -> None:
    file = Path("metrics/environment.json")
    versions: list[dict[str, str]] = [{}, {"python": "3.11.2", "numpy": "2.3.1", "torch": "2.9.0"}]
    versions += [{"python": "3.13.0", "numpy": "2.3.1", "dvc": "3.1"}, {}]
    for number, each in enumerate(versions):
        write(None, 9.0, f"{number}")
        file.unlink(missing_ok=True)
        if each:
            file.write_text(json.dumps(each))
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", f"with {each}")
        git("tag", f"v{number}")
    told = {base: write_report(Revision(f"v{base}"), Revision(f"v{base + 1}"), None) for base in range(3)}
    other = "other versions, so bytes may differ: dvc (none) → 3.1, python 3.11.2 → 3.13.0, torch 2.9.0 → (none)_"
    assert other in told[1]
    assert ["other versions" in text for text in told.values()] == [False, True, False], "where one is not known"
    records = as_records(Revision("v1"), Revision("v2"))["environment"]
    assert records["python"] == {"before": "3.11.2", "after": "3.13.0"}
    assert "numpy" not in records


def test_which_domain_is_shown_decides_nothing(write: Write) -> None:
    """Each of two changes would be told alone (p = .036), and neither among two."""
    for value in (9.0, 9.606):
        write(None, value, "one")
        params, lock = (yaml.safe_load(Path(name).read_text()) for name in ("params.yaml", "dvc.lock"))
        lock["stages"]["train@retina"] = {"cmd": "train", "outs": [{"path": "data/retina/train/model", "md5": "one"}]}
        Path("dvc.lock").write_text(yaml.safe_dump(lock))
        shutil.copytree("metrics/climb", "metrics/retina", dirs_exist_ok=True)
        params |= {"domains": ["climb", "retina"], "retina": params["climb"]}
        Path("params.yaml").write_text(yaml.safe_dump(params))
        git("add", "-A")
        git("commit", "-q", "-m", "two domains")
    revisions = Revision("HEAD~2"), Revision("HEAD")
    for domain in (None, "climb"):
        text = write_report(*revisions, None, domain=domain)
        row = "| climb | PASS | perplexity 9 → 9.606 | ⚪ not distinguishable, unpaired (detectable: "
        assert row in text, "one of two changes is told with Holm's correction for two"
        told = as_records(*revisions, domain)["domains"]
        assert list(told) == (["climb", "retina"] if domain is None else [domain])
        decided = {each["metric"]: each for each in told["climb"]["differences"]}
        assert decided["perplexity"]["decision"] == "not distinguishable", "and so is it for programs"


def test_stages_have_the_seconds_of_the_working_tree_alone(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "latest_seconds", lambda: {"train@climb": 7.0})
    write(None, 9.0, "one")
    write(None, 9.0, "two")
    assert "| train 7 s |" in write_report(Revision("HEAD~1"), Revision(None), None)
    assert "| train |" in write_report(Revision("HEAD~1"), Revision("HEAD"), None)


def test_a_difference_on_other_data_is_marked(write: Write) -> None:
    for value, digest in ((9.0, "a"), (12.0, "b"), (15.0, "b"), (18.0, "")):
        write(None, value, "one")
        lock = yaml.safe_load(Path("dvc.lock").read_text())
        if digest:
            lock["stages"]["ingest@climb"] = {"cmd": "ingest", "outs": [{"path": "data/climb/ingest", "md5": digest}]}
        Path("dvc.lock").write_text(yaml.safe_dump(lock))
        git("commit", "-q", "-a", "--allow-empty", "-m", "with its data")
        git("tag", f"at{value:.0f}")
    for pair, other in ((("at9", "at15"), True), (("at12", "at15"), False), (("at15", "at18"), False)):
        told = write_report(*map(Revision, pair), None)
        assert (", unpaired, other data |" in told) == other, f"{pair}: what dvc.lock does not say is not other data"
        assert ("_other data were ingested" in told) == other


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
    one = Revision("HEAD~1"), Revision("HEAD")
    assert "| retina | **removed** |  |  |  |" in write_report(*one, None, domain="retina")
    assert "removed" not in write_report(*one, None, domain="climb")
    removed = [as_records(*one, domain)["removed"] for domain in (None, "retina", "climb")]
    assert removed == [["retina"], ["retina"], []]
    assert '| domains | ["climb", "retina"] | ["climb"] |'.replace("[", "\\[").replace("]", "\\]") in top
    assert '| runtime.device | "cuda" | null |' in top
    assert "| train.epochs | 1 | 2 |" in folded
    assert "retina" not in folded
