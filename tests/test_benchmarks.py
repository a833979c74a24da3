"""What benchmarks keep of their earlier runs, and the data that they are run on."""

import gzip
import hashlib
import importlib
import io
import json
import os
import re
import subprocess
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cosmic_ray.mutating import mutate_code
from PIL import Image

from benchmarks import fetching, performance
from benchmarks.articles import prepare as articles
from benchmarks.climb import prepare as climb
from benchmarks.documents import complaints
from benchmarks.measure import kept
from benchmarks.playlists import prepare as playlists
from benchmarks.sessions import prepare as sessions
from tests.conftest import ROOT
from winnow.domains.documents import definitions
from winnow.domains.documents.source.synthetic import draw_page


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that benchmarks share, writing to the temporary folder."""
    module = importlib.import_module("benchmarks.measure")
    monkeypatch.setattr(module, "BENCHMARKS", tmp_path)
    (tmp_path / "climb").mkdir()
    return module


def test_the_page_of_claims_is_that_of_the_results() -> None:
    page = performance.PAGE.read_text(encoding="utf-8")
    assert performance.BEGIN + performance.table() + performance.END in page, "python -m benchmarks.performance"
    rows = performance.rows_table(kept(performance.ROWS))
    assert performance.ROWS_BEGIN + rows + performance.ROWS_END in page, "python -m benchmarks.performance"
    for claim in performance.CLAIMS:
        assert Path(performance.__file__).parent.joinpath(f"{claim.results}.py").exists(), claim.results


@pytest.mark.parametrize(
    ("bound", "ratio", "told"),
    [("≤ 1.1", 1.1, "holds"), ("≤ 1.1", 1.101, "missed"), ("≥ 0.9", 0.9, "holds"), ("≥ 0.9", 0.899, "missed")],
)
def test_a_claim_that_does_not_hold_is_said_to_be_missed(bound: str, ratio: float, told: str) -> None:
    claim = performance.Claim("ours", "theirs", "climb/some", "part.ratio", bound, ("a", "part.b", "ms"))
    found = {
        "a": 3.0,
        "part": {"ratio": ratio, "b": 2.5},
        "measured": {"date": "2026-03-04", "commit": "of another row"},
    }
    found["measured"]["rows"] = {"part": {"date": "2026-01-02", "commit": "abc"}}
    row = performance.row(claim, found)
    assert (told in row, "missed" in row) == (True, told == "missed")
    assert "| 3 and 2.5 ms |" in row
    assert row.endswith("| `python -m benchmarks.climb.some` | 2026-01-02, abc |")


@pytest.mark.parametrize(
    ("cpu", "peak", "told"),
    [
        (110, 2048, "holds"),
        (110.1, 2048, "**missed**: growth"),
        (110, 2049, "**missed**: memory"),
        (121, 2049, "**missed**: growth, memory, time"),
    ],
)
def test_a_stage_is_judged_by_its_largest_size_beside_a_tenth_of_it(cpu: float, peak: int, told: str) -> None:
    small = {"seconds": 12, "cpu_seconds": 10, "peak_mib": 9000}
    large = {"seconds": 300, "cpu_seconds": cpu, "peak_mib": peak}
    sizes = {"1000000": small, "10000000": large, "100000": {"cpu_seconds": 0}}
    found = performance.rows_table({"climb": {"split": sizes}, "measured": {}}).splitlines()[2:]
    assert found == [f"| split@climb | 10,000,000 | {cpu:.4g} s, 300 s | {cpu / 10:.2f} | {peak:,} | {told} |"]
    less = performance.grown("split@climb", {"100000": small, "1000000": large | {"cpu_seconds": 20, "peak_mib": 1}})
    assert less.endswith("| holds up to 1,000,000 |")


def test_a_row_is_replaced_by_a_new_one_and_never_by_nothing(measure: Any, tmp_path: Path) -> None:
    file, old = tmp_path / "climb/results/some.json", {"commit": "0ld", "date": "2026-01-02"}
    measure.merge("climb/some", {"a": {"seconds": 1}, "b": {"seconds": 2}, "zero": 0})
    file.write_text(json.dumps(json.loads(file.read_text()) | {"measured": old}))
    measure.merge("climb/some", {"a": {}, "b": {"seconds": 3}, "c": [1], "zero": 0.0})
    measure.merge("climb/some", {"d": 4})
    found = json.loads(file.read_text())
    assert measure.measured_when(found, "a") == "2026-01-02, 0ld", "it was not measured again"
    new = f"{found['measured']['date']}, {found['measured']['commit']}"
    assert [measure.measured_when(found, row) for row in "bcd"] == [new] * 3
    measured = found.pop("measured")
    assert found == {"a": {"seconds": 1}, "b": {"seconds": 3}, "c": [1], "d": 4, "zero": 0.0}
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert head.startswith(measured["commit"].rstrip("+"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", measured["date"])


def test_the_comparison_of_two_models_of_sessions_is_of_the_users_both_served(
    measure: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quality = importlib.import_module("benchmarks.sessions.quality")
    monkeypatch.setattr(quality, "USERS", tmp_path / "users.safetensors")
    for row, users, recall in (("gat", [0, 2, 5], 0.1), ("genre_gat", [0, 1, 2, 5], 0.4)):
        ranked = pd.DataFrame({"recommender": "model", "cold": False, "user_index": users, "recall_at_10": recall})
        others = ranked.assign(recommender="ease", recall_at_10=0.9)
        quality.keep_users(row, pd.concat([others, ranked]).assign(diversity=[np.nan, *range(2 * len(users) - 1)]))
    before = (tmp_path / "users.safetensors").read_bytes()
    found = quality.compare()
    assert set(found) == {"recall_at_10", "diversity"}
    assert found["recall_at_10"]["users"] == 3
    assert found["recall_at_10"] == pytest.approx({"mean": 0.3, "low": 0.3, "high": 0.3, "users": 3})
    quality.keep_users("gat seed 2", ranked)
    assert (tmp_path / "users.safetensors").read_bytes() == before


@pytest.fixture
def documents_pages(measure: ModuleType) -> Any:
    return importlib.import_module("benchmarks.documents.pages")


def test_the_figures_of_all_folds_hold_the_rejections_of_each_folds_threshold(documents_pages: Any) -> None:
    rng = np.random.default_rng(0)
    true, probabilities = rng.uniform(0, 1, 200), rng.dirichlet(np.ones(5), 200)
    rows = pd.DataFrame(probabilities, columns=documents_pages.definitions.probability_columns())
    rows = rows.assign(
        image_id=np.arange(200).astype(str),
        document=(np.arange(200) // 4).astype(str),
        true_score=true,
        true_label=documents_pages.definitions.class_of(true),
        score=np.clip(true + rng.normal(0, 0.1, 200), 0, 1),
        verdict=np.where(rng.random(200) < 0.3, "retake", "accept"),
    )
    baseline = rows[["image_id", "score", *documents_pages.definitions.probability_columns()]].assign(
        baseline="constant"
    )
    found = documents_pages.pooled(rows, baseline)
    acceptable, rejected = true >= 0.4, rows["verdict"] == "retake"
    assert found["model"]["mae"] == pytest.approx(np.abs(rows["score"] - true).mean(), abs=1e-4)
    assert found["model"]["false_reject_error"] == pytest.approx(rejected[acceptable].mean(), abs=1e-4)
    assert found["model"]["retake_recall"] == pytest.approx(rejected[~acceptable].mean(), abs=1e-4)
    for name, value in found["model"].items():
        assert found["interval"][name]["low"] <= value <= found["interval"][name]["high"], name
    assert "false_reject_error" not in found["baseline"]["constant"]
    assert found["mae_of_constant"] == 1


def test_a_nearly_empty_page_keeps_its_first_lines_and_shares_are_of_all_pages() -> None:
    page = np.full((400, 300), 255, dtype=np.uint8)
    page[40:360:10] = 0
    left = complaints.nearly_empty(page)
    assert (left[:70] == page[:70]).all()
    assert (left[70:] == 255).all()
    columns = ["variant", "accepted", "not_retaken", "with_reasons", "flagged_low_resolution", "same"]
    rows = [("bitonal", right, True, True, False, True) for right in (True, True, True, False)]
    rows += [("scaled_up", False, False, True, flagged, True) for flagged in (True, False)]
    rows += [("in_a_pdf", True, True, True, False, same) for same in (True, True, False, True)]
    rows += [("text_of_5", False, kept, True, False, True) for kept in (False, True)]
    found = complaints.treated(pd.DataFrame(rows, columns=columns))
    assert found["accepted"]["bitonal"]["accepted"] == 0.75
    assert found["accepted"]["bitonal"]["interval"] == pytest.approx({"low": 0.3006, "high": 0.9544}, abs=1e-3)
    assert found["scaled_up_is_flagged_low_resolution"] == 0.5
    assert found["with_reasons"] == 1
    assert found["same_verdict_in_a_pdf"] == 0.75
    assert found["retaken"] == {"text_of_5": {"pages": 2, "retaken": 0.5}}
    assert set(found["accepted"]) == {"bitonal", "in_a_pdf"}


def test_small_text_a_pdf_and_dark_edges_are_made_as_they_are_called() -> None:
    page = draw_page("letter", 900, np.random.default_rng(0))
    small = complaints.with_text_of(page, 5)
    assert complaints.text_height(complaints.letters(complaints.ink_mask(small))) == pytest.approx(5, abs=2)
    assert (complaints.in_a_pdf(page) == page).all()
    assert (complaints.edge_line(page, np.s_[:, :2])[:, :2] == 0).all()
    assert complaints.lid_corners(page)[0, 0] == complaints.lid_corners(page)[-1, -1] == 40


def test_the_f1_of_words_counts_repeated_words(measure: ModuleType) -> None:
    ocr = importlib.import_module("benchmarks.documents.ocr")
    expected = ocr.Counter(["the", "page", "of", "the", "book"])
    assert ocr.word_f1(expected, expected) == 1
    assert ocr.word_f1(ocr.Counter(["the", "page", "pace"]), expected) == pytest.approx(2 * 2 / (3 + 5))
    assert ocr.word_f1(ocr.Counter(), expected) == 0
    assert ocr.word_f1(ocr.Counter(), ocr.Counter()) == 0


def test_without_tesseract_the_ocr_benchmark_says_what_to_install(
    measure: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ocr = importlib.import_module("benchmarks.documents.ocr")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["ocr.py", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"needs tesseract .* \(Debian: apt-get install tesseract-ocr\)"):
        ocr.main()


def test_pages_with_too_few_words_are_left_out_of_the_ocr_benchmark(
    measure: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ocr = importlib.import_module("benchmarks.documents.ocr")
    words = {100: 40, 110: 29, 120: 30, 130: 99}
    for height in words:
        Image.fromarray(np.full((height, 80), 255, dtype=np.uint8)).save(tmp_path / f"{height}.png")
    monkeypatch.setattr(
        ocr, "read_words", lambda data: ocr.Counter({"word": words[Image.open(io.BytesIO(data)).height]})
    )
    found = list(ocr.readable_pages(sorted(tmp_path.glob("*.png")), 2))
    assert [(name, page.shape, expected.total()) for name, page, expected in found] == [
        ("100.png", (100, 80), 40),
        ("120.png", (120, 80), 30),
    ]


@pytest.mark.parametrize("issue", definitions.ISSUES)
def test_a_page_gets_one_issue_alone(measure: ModuleType, issue: str) -> None:
    ocr = importlib.import_module("benchmarks.documents.ocr")
    page = draw_page("letter", 500, np.random.default_rng(0))
    made, severity = ocr.with_issue(page, issue, 0.6, np.random.default_rng(1))
    assert severity == pytest.approx(0.6, abs=0.12)
    assert made.shape != page.shape or (made != page).any()


def test_ocr_figures_of_an_issue_are_means_by_severity_and_a_correlation_over_pages(measure: ModuleType) -> None:
    ocr = importlib.import_module("benchmarks.documents.ocr")
    rows = [
        (f"{page}.png", issue, wanted, wanted, right)
        for page in range(6)
        for issue, slope in (("blur", -1), ("glare", 1))
        for wanted, right in ((0.3, 0.5 - 0.2 * slope), (0.9, 0.5 + 0.2 * slope))
    ]
    found = ocr.issue_figures(pd.DataFrame(rows, columns=["page", "issue", "wanted", "severity", "word_f1"]))
    assert found["pages"] == 6
    assert found["by_issue"]["blur"]["mean"] == {"0.3": 0.7, "0.9": 0.3}
    assert {issue: part["spearman"]["value"] for issue, part in found["by_issue"].items()} == {"blur": -1, "glare": 1}


def test_files_are_taken_from_a_repository_as_they_were_at_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = tmp_path / "github" / "someone" / "data"
    upstream.mkdir(parents=True)
    git = ["git", "-C", str(upstream), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    for text in ("first", "second"):
        (upstream / "rows.txt").write_text(text)
        (upstream / "other.txt").write_text(text)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", text], check=True)
    first = subprocess.run([*git, "rev-parse", "HEAD~1"], capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{tmp_path}/github/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/")
    with fetching.published("someone/data", first, "rows.txt") as folder:
        assert (folder / "rows.txt").read_text() == "first"
        assert not (folder / "other.txt").exists()


def test_prepared_data_is_compared_with_what_the_figures_were_measured_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WINNOW_SHARED_DATA", str(tmp_path))
    monkeypatch.setattr(fetching, "BENCHMARKS", tmp_path / "benchmarks")
    sums = {"rows.json.gz": hashlib.sha256(b"rows").hexdigest(), "table.csv": hashlib.sha256(b"table").hexdigest()}
    (tmp_path / "benchmarks" / "climb").mkdir(parents=True)
    lines = "".join(f"{checksum}  {name}\n" for name, checksum in sums.items())
    (tmp_path / "benchmarks" / "climb" / "SHA256SUMS").write_text(lines)
    folder = fetching.new_folder("climb")
    fetching.write_gzip(folder / "rows.json.gz", b"rows")
    with pytest.raises(SystemExit, match="table.csv is missing"):
        fetching.check("climb")
    (folder / "table.csv").write_bytes(b"another")
    with pytest.raises(SystemExit, match="table.csv is another file"):
        fetching.check("climb")
    (folder / "table.csv").write_bytes(b"table")
    fetching.check("climb")
    assert "2 files" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="exists"):
        fetching.new_folder("climb")


def checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_climbs_rule_keeps_the_problems_that_the_figures_were_measured_on(shared_data: Path) -> None:
    expected = fetching.expected("climb")
    for name in expected:
        content = json.loads(gzip.decompress((shared_data / "climb" / name).read_bytes()))
        if name.startswith("peer"):
            continue
        rows = content["Data"] if name.startswith("web") else content
        used = climb.used(rows)
        assert len(used) == len(rows) > 40
        whole = {**content, "Data": used} if name.startswith("web") else used
        assert checksum(climb.as_json(whole)) == expected[name]


def test_a_hold_set_is_used_or_left_out_whatever_the_format_and_the_order() -> None:
    holds = [["A5", f"{column}{row}", "K18"] for row in range(6, 18) for column in "BCD"]
    sides = []
    for each in holds:
        minimal = {"Moves": each[::-1]}
        guidebook = {"mb_type": 0, "start_holds": each[:1], "mid_holds": each[1:2], "end_holds": each[2:]}
        app = {"holdsetup": {"apiId": 1}, "moves": [{"description": hold} for hold in each], "setby": "someone"}
        web = {"Holdsetup": {"Id": 1}, "Moves": [{"Description": hold} for hold in each]}
        found = {len(climb.used([row])) for row in (minimal, guidebook, app, web)}
        assert len(found) == 1
        sides += found
    assert {0, 1} == set(sides)


def test_generated_routes_are_read_from_the_script_that_publishes_them() -> None:
    script = (
        "var climbs_2016 = {\"lstm\": [{'moves': [ 'E6', 'K18', ], 'grade': {'GradeNet': 'V6'}, 'file_name': 'x'}]}"
    )
    assert climb.peers_of(script) == [{"moves": ["E6", "K18"], "grade": {"GradeNet": "V6"}}]


def test_articles_rules_keep_the_texts_that_the_figures_were_measured_on(shared_data: Path, tmp_path: Path) -> None:
    folder, expected = shared_data / "articles", fetching.expected("articles")
    rows = [json.loads(line) for line in (folder / "emobank_train_dev.jsonl").read_text().splitlines()]
    table = [
        {"id": row["id"], "split": row["split"], "text": row["content"]}
        | {column: str(row["scores"][name]) for name, column in articles.EMOBANK.items()}
        for row in rows
    ]
    made = articles.as_lines(articles.emobank([*table, {**table[0], "split": "test"}]))
    assert checksum(made) == expected["emobank_train_dev.jsonl"]
    with zipfile.ZipFile(folder / "ellipse_essays.zip") as archive:
        lines = archive.read("ellipse_essays.jsonl", pwd=articles.PASSWORD).decode().splitlines()
    essays = [json.loads(line) for line in lines]
    table = [
        {"text_id_kaggle": row["id"], "prompt": row["title"], "full_text": row["content"]}
        | {name.capitalize(): str(value) for name, value in row["scores"].items()}
        for row in essays
    ]
    kept = list(articles.ellipse(table))
    assert len(kept) == len(essays)
    articles.write_archive(tmp_path / "e.zip", "ellipse_essays.jsonl", articles.as_lines(kept))
    assert fetching.digest(tmp_path / "e.zip") == expected["ellipse_essays.zip"]
    assert fetching.digest(folder / "hanna_human_vs_llm_scores.csv") == expected["hanna_human_vs_llm_scores.csv"]


def test_hannas_lists_become_a_row_for_each_story_and_every_fourth_is_left_out() -> None:
    scores = {
        f"{model} {short} {prompt}" for model in articles.MODELS for short in articles.SHORT for prompt in range(1, 5)
    }
    row = {"Model": "Human", **dict.fromkeys((*articles.CRITERIA, *scores), "[1.0, 2.33333, 3.0, 4.0, 5.0]")}
    lines = articles.hanna([row]).splitlines()
    assert lines[0].startswith("item,system,human_relevance,human_coherence")
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["1", "Human", "2.3333"], ["2", "Human", "3.0"], ["3", "Human", "4.0"]
    ]  # fmt: skip


def test_playlists_are_drawn_and_written_as_the_files_that_the_figures_were_measured_on(shared_data: Path) -> None:
    expected = fetching.expected("playlists")
    files = [json.loads(gzip.decompress((shared_data / "playlists" / name).read_bytes())) for name in expected]
    used = sorted((each for file in files for each in file["playlists"]), key=lambda each: each["pid"])
    known = {each["pid"]: each for each in used}
    drawn = playlists.used([known.get(pid, {"pid": pid}) for pid in range(7071)])
    assert drawn == used
    made = dict(playlists.slices(drawn, files[0]["info"]))
    assert {f"mpd-7k/{name}": checksum(content) for name, content in made.items()} == expected


def test_sessions_files_are_those_that_the_figures_were_measured_on(shared_data: Path) -> None:
    expected, folder = fetching.expected("sessions"), shared_data / "sessions"
    assert {name: fetching.digest(folder / name) for name in expected} == expected
    lists = gzip.decompress((folder / "lightgcn-gowalla/train.txt.gz").read_bytes())
    backwards = b"".join(b" ".join([line.split()[0], *line.split()[:0:-1]]) + b"\n" for line in lists.splitlines())
    assert sessions.ascending(backwards) == lists


def test_listeners_are_drawn_by_their_numbers_and_friends_stay_among_them() -> None:
    numbers = range(2, 2000, 2)
    table = b"userID\tartistID\tweight\n" + b"".join(b"%d\t1\t1\n" % number for number in numbers)
    users = sessions.used_listeners(table)
    assert len(users) == len(numbers) - sessions.LEFT_OUT
    one, other = sorted(users)[:2]
    friends = b"userID\tfriendID\r\n%s\t%s\r\n%s\t3\r\n3\t%s\r\n" % (one, other, one, one)
    assert sessions.rows_of(friends, users, both=True) == b"userID\tfriendID\n%s\t%s\n" % (one, other)


def test_photographs_and_pages_are_those_that_the_figures_were_measured_on(shared_data: Path) -> None:
    for domain, folder in (("retina", shared_data / "retina"), ("documents", shared_data / "documents")):
        found = {
            name: fetching.digest(folder / ("labels" if name == "idrid_384.csv" else "") / name)
            for name in fetching.expected(domain)
        }
        assert found == fetching.expected(domain)


@pytest.mark.parametrize(
    ("kind", "source", "expected"),
    [
        ("SwapArguments", "f(a, b, x=c, *d)", ["f(b, a, x=c, *d)", "f(a, c, x=b, *d)"]),
        ("SwapArguments", "f(a, a, *b)\ndef g(c, d): ...", []),
        ("DropArgument", "f(a, x=b, y=c)\nclass D(E, metaclass=F): ...", ["f(a, y=c)", "f(a, x=b)"]),
        (
            "MaskOfOnes",
            "a[mask] + f(mask=is_kept) + mask.sum() + keep(a)",
            ["a[(mask == mask)]", "(is_kept == is_kept)"],
        ),
        ("HalveConstant", "a[1] * 0.5 + 7 + 0", ["a[1] * 0.25 + 7", "a[1] * 0.5 + 3"]),
        ("LeaveFilterOut", "b = [a for a in c if a > 1]", ["if True]"]),
        ("LeaveFilterOut", "for a in b:\n    if a:\n        continue\n    if c:\n        d()", ["    if False:\n"]),
    ],
)
def test_mutations_that_cosmic_ray_lacks(kind: str, source: str, expected: list[str]) -> None:
    kinds = importlib.import_module("benchmarks.mutation.kinds")
    found: list[str] = []
    while (mutated := mutate_code(source, kinds.operator_of(kind), len(found))) is not None:
        compile(mutated, "mutated", "exec")
        found.append(mutated)
    assert len(found) == len(expected)
    assert all(part in mutated for part, mutated in zip(expected, found, strict=True)), found


def test_a_mutation_changes_the_place_that_was_drawn(tmp_path: Path) -> None:
    """A `*` before keyword-only parameters is none, but cosmic-ray counts it."""
    mutants = importlib.import_module("benchmarks.mutation.mutants")
    file = tmp_path / "some.py"
    file.write_text("def f(a, *, b):\n    return a * b\n\n\ndef g(*, c):\n    d = c * 2\n    return -d\n")
    lines = file.read_text().splitlines()
    found = mutants.places_of(file)
    assert sorted((line, lines[line - 1][column]) for line, column in found) == [(2, "*"), (6, "*"), (6, "2"), (7, "-")]
    for (line, _), choices in found.items():
        for name, occurrence in choices:
            mutated = mutate_code(file.read_text(), mutants.operator_of(name), occurrence).splitlines()
            changed = [number for number, each in enumerate(zip(lines, mutated, strict=True), 1) if each[0] != each[1]]
            assert changed == [line], (name, occurrence)


@pytest.mark.parametrize(
    ("module", "tests"),
    [
        ("src/winnow/domains/retina/tables.py", ["tests/library/domains/test_tables.py"]),
        ("src/winnow/domains/documents/model/estimates.py", ["tests/library/learn/test_settings_of_models.py"]),
        ("src/winnow/workspace/new_domain.py", ["tests/pipeline/test_new_domain.py"]),
        ("src/winnow/workspace/run.py", ["tests/library/workspace", "tests/pipeline/test_run.py"]),
        ("stages/retina/filter.py", ["tests/stages/test_retina_numbers.py"]),
    ],
)
def test_tests_that_concern_a_module_are_chosen_in_whichever_folder(module: str, tests: list[str]) -> None:
    planting = importlib.import_module("benchmarks.mutation.planting")
    chosen = [argument for arguments in planting.tests_of(module, ROOT) for argument in arguments]
    assert set(tests) <= set(chosen)
    assert all((ROOT / each).exists() for each in chosen if each.startswith("tests/"))


def test_planted_faults_are_those_of_the_copy(tmp_path: Path) -> None:
    """The process that forks has imported this checkout's `stages`: they must not run in the copy's place."""
    (tmp_path / "copy" / "stages").mkdir(parents=True)
    (tmp_path / "copy" / "src" / "winnow").mkdir(parents=True)
    (tmp_path / "copy" / "stages" / "__init__.py").write_text("FAULT = 1\n")
    (tmp_path / "copy" / "src" / "winnow" / "__init__.py").write_text("FAULT = 2\n")
    test = "import stages\nimport winnow\n\ndef test_it():\n    assert (stages.FAULT, winnow.FAULT) == (1, 2)\n"
    (tmp_path / "copy" / "test_it.py").write_text(test)
    forking = importlib.import_module("benchmarks.mutation.forking")
    runner = forking.Runner()
    try:
        code, told = runner.run(tmp_path / "copy", ["-q", "test_it.py"], dict(os.environ), 60)
    finally:
        runner.close()
    assert code == 0, told
