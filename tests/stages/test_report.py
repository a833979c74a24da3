"""The page that every plot stage writes, of every domain: what it says, that it is safe, and how a browser shows it."""

import base64
import io
import itertools
import json
import socket
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.browser import Browser
from tests.library.show.paged import Element, parse, tables
from tests.stages.programs import DATA_STAGES, Programs
from winnow.cli.app import app
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.show.page import REPORT

HOSTILE = (
    "<script>document.title='taken'</script>",
    '"><img src=x onerror="document.title=\'taken\'">',
    "</article></td><b>&lt;'\"`{{ 7 * 7 }}`",
    "\x1b[31mred\x1b]0;taken\x07",
    "\u202eevil\u2066 \u200fאבג",
)
LONG = "w" * 80
NAMED = {
    "reasons": ("title", "reason"),
    "completed": ("track", "reason", "given"),
    "worst": ("title",),
    "explained": ("image_id", "found", "truth"),
}
"""Tables of evaluate's examples, and their columns of names."""
NUMBER = "{:.4g}"


def report(domain: Programs) -> Path:
    return Path("data", domain.domain, "plot", REPORT)


def judgement(domain: Programs) -> dict[str, object]:
    return json.loads(Path("metrics", domain.domain, "judgement.json").read_text())


def page(domain: Programs) -> Element:
    return parse(report(domain).read_text(encoding="utf-8"))


def shown(name: str) -> str:
    """The name as a page shows it: with symbols in place of control characters."""
    return "".join(chr(0x2400 + ord(each)) if ord(each) < 32 else each for each in name)


def lower_is_better(metric: str) -> bool:
    return metric.endswith(("mae", "rmse", "ece", "error", "loss", "perplexity", "clicks"))


def test_the_metrics_are_those_of_the_judgement_beside_the_best_baseline(domain: Programs) -> None:
    found = judgement(domain)
    (metrics,) = [rows for caption, rows in tables(page(domain)).items() if "verdict depends" in caption]
    assert len(metrics) == len(found["reasons"]) > 0
    for (metric, value, target, baseline, word), reason in zip(metrics, found["reasons"], strict=True):
        assert reason.startswith(f"{word}: {metric} ")
        if metric not in found["model"]:
            assert value == "cannot be measured"
            continue
        expected = NUMBER.format(found["model"][metric])
        if metric in found["interval"]:
            bounds = found["interval"][metric]
            expected += f" ({NUMBER.format(bounds['low'])} to {NUMBER.format(bounds['high'])})"
        assert value == expected
        rivals = {name: values[metric] for name, values in found["baseline"].items() if metric in values}
        if rivals:
            best = (min if lower_is_better(metric) else max)(rivals.values())
            assert baseline in {f"{name} {NUMBER.format(best)}" for name, each in rivals.items() if each == best}
        if target.startswith("better than"):
            assert baseline.split()[0] in target
        else:
            assert f"target {target}" in reason
    said = {metric: value for metric, value, *_ in [*metrics, *tables(page(domain))["All metrics of the model"]]}
    assert set(said) >= set(found["model"])
    text = page(domain).text().replace("\n", " ")
    assert found["sentence"].replace("`", "") in text
    assert all(reason.replace("`", "") in text for reason in found["reasons"])


def test_what_was_measured_for_comparison_stands_beside_the_model(domain: Programs) -> None:
    found = judgement(domain)
    rows = next((rows for caption, rows in tables(page(domain)).items() if caption.startswith("Measured for")), [])
    names = ["model", *found["reference"]]
    own = {name: found[name] if name == "model" else found["reference"][name] for name in names}
    assert {row[0] for row in rows} == {metric for name in names[1:] for metric in own[name]}
    for metric, *values in rows:
        assert values == [NUMBER.format(own[name][metric]) if metric in own[name] else "" for name in names]


def test_the_rows_are_those_that_the_stages_counted(domain: Programs) -> None:
    found = tables(page(domain))
    for stage, rows_in, result in found["What each data stage kept and left out"]:
        counts = {name: n for name, n in domain.metrics(stage).items() if name.startswith("rows_")}
        assert rows_in == f"{counts.pop('rows_in'):,}"
        told = {name: int(n.replace(",", "")) for n, _, name in (part.partition(" ") for part in result.split(", "))}
        assert told == {name.removeprefix("rows_").replace("_", " "): n for name, n in counts.items()}
    assert [row[0] for row in found["What each data stage kept and left out"]] == list(DATA_STAGES)
    left_out = next((rows for caption, rows in found.items() if caption.startswith("Rows left out")), [])
    for stage in DATA_STAGES:
        expected: dict[str, int] = {}
        for name, column in (("rejected", "reason"), ("dropped", "rule"), ("unlabelled", "reason")):
            file = Path("data", domain.domain, stage, f"{name}.parquet")
            if file.exists():
                expected |= pq.read_table(file)[column].to_pandas().value_counts().to_dict()
        assert {reason: int(n.replace(",", "")) for own, reason, n, _ in left_out if own == stage} == expected


def test_the_slices_are_those_that_evaluate_measured(domain: Programs) -> None:
    file = Path("data", domain.domain, "evaluate", "slices.parquet")
    if not file.exists():
        pytest.skip(f"{domain.domain} measures no parts of its test rows")
    found = tables(page(domain))
    for row in pd.read_parquet(file).itertuples():
        rows = found[f"By {row.by.replace('_', ' ')}"]
        assert any(cells[:2] == [row.value, f"{row.rows:,}"] and NUMBER.format(row.score) in cells for cells in rows)


def test_every_picture_is_in_the_page_with_its_words(domain: Programs) -> None:
    images = page(domain).all("img")
    sizes = []
    for each in images:
        head, _, data = each.attributes["src"].partition(",")
        assert head == "data:image/png;base64"
        picture = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
        assert (str(picture.width), str(picture.height)) == (each.attributes["width"], each.attributes["height"])
        assert len(each.attributes["alt"].split()) >= 2
        sizes.append(picture.size)
    charts = {file.stem.replace("_", " "): Image.open(file) for file in report(domain).parent.glob("*.png")}
    for figure in page(domain).all("figure"):
        assert len(figure.all("figcaption")[0].text().split()) >= 4
        name = figure.all("div")[0].attributes["aria-label"].partition(": picture ")[2]
        (image,) = figure.all("img")
        assert (image.attributes["width"], image.attributes["height"]) == tuple(map(str, charts.pop(name).size))
    assert set(charts) <= {"cases", "worst errors", "generated routes"}  # the page has what they show as examples
    if domain.domain in {"climb", "retina", "documents"}:
        assert len(images) > len(page(domain).all("figure"))


def test_the_page_is_whole_and_small(domain: Programs) -> None:
    text = report(domain).read_text(encoding="utf-8")
    assert not page(domain).all("script", "link", "iframe", "object")
    assert "http" not in text.replace("http-equiv", "")
    assert "url(" not in text
    for place in (str(Path.cwd()), str(Path.home()), socket.gethostname() + "."):
        assert place not in text
    levels = [int(each.name[1]) for each in page(domain).all("h1", "h2", "h3", "h4")]
    assert levels[:2] == [1, 2]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert report(domain).stat().st_size < 500_000  # six of them are one board of at most 3 MB


def test_in_a_browser_it_breaks_no_rule_in_light_and_dark_on_a_phone_and_a_desk(
    domain: Programs, browser: Browser
) -> None:
    address = report(domain).resolve().as_uri()
    browser.open(address)
    browser.driver.execute_script("for (const e of document.querySelectorAll('details')) e.open = true")
    for width, dark in ((390, False), (1400, True)):  # each width and each scheme: axe takes seconds
        browser.look(width, dark=dark)
        assert browser.violations() == [], (width, dark)
        assert browser.overflow() == 0, (width, dark)
    assert browser.messages() == []
    assert browser.requests() == [address]
    back = browser.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, back.strip("rgb()").split(","))) < 200  # the last one is dark
    loaded = "const e = performance.getEntriesByType('navigation')[0]; return e.loadEventEnd - e.startTime"
    assert browser.driver.execute_script(loaded) < 10_000  # on a loaded machine; benchmarks measure it


def hostile_results(domain: Programs) -> list[str]:
    """Put names that would do harm wherever the page shows data, and draw it anew; gives the names."""
    file = Path("metrics", domain.domain, "judgement.json")
    found = judgement(domain)
    names = [f"{number}{text}" for number, text in enumerate(HOSTILE)]
    found["reasons"] = [f"{reason} {name}" for reason in found["reasons"] for name in names]
    found["conditions"] = [found["conditions"][0] | {"target": f"better than {name}"} for name in names]
    found["sentence"] += names[0]
    file.write_text(json.dumps(found), encoding="utf-8")
    for stage, left, column in (("filter", "dropped", "rule"), ("ingest", "rejected", "reason")):
        path = Path("data", domain.domain, stage, f"{left}.parquet")
        if path.exists() and len(table := pd.read_parquet(path)) >= len(names):
            table[column] = table[column].astype(object)
            table.loc[table.index[: len(names)], column] = names
            table.to_parquet(path)
    slices = Path("data", domain.domain, "evaluate", "slices.parquet")
    if slices.exists():
        table = pd.read_parquet(slices)
        table["value"] = [names[row % len(names)] + str(row // len(names)) for row in range(len(table))]
        table.to_parquet(slices)
    for name, columns in NAMED.items():
        path = Path("data", domain.domain, "evaluate", f"{name}.parquet")
        if path.exists():
            table = pd.read_parquet(path)
            for column in set(columns) & set(table.columns):
                table[column] = [names[row % len(names)] + LONG for row in range(len(table))]
            table.to_parquet(path)
    domain.run("plot")
    return names


def test_names_from_the_data_are_plain_text_and_do_nothing_in_a_browser(
    domain: Programs, request: pytest.FixtureRequest
) -> None:
    before = len(page(domain).all("script", "iframe", "b", "i")), len(page(domain).all("img"))
    names = hostile_results(domain)
    after = page(domain)
    assert (len(after.all("script", "iframe", "b", "i")), len(after.all("img"))) == before
    assert not [each for each in after.all() for name in each.attributes if name.startswith("on")]
    assert len(after.all("article")) == 1
    if any(Path("data", domain.domain, "evaluate", f"{name}.parquet").exists() for name in NAMED):
        cards = after.all("ul")[-1].text()
        assert any(shown(name) + LONG in cards for name in names)
    for name in names:
        in_code = shown(name).replace("`{{ 7 * 7 }}`", "{{ 7 * 7 }}")
        assert in_code in after.text(), name
    assert not [each for each in after.text() if ord(each) < 32 and each not in "\n\t"]
    browser: Browser = request.getfixturevalue("browser")  # skips only what follows where there is none
    address = report(domain).resolve().as_uri()
    browser.look(390)
    browser.open(address)
    browser.driver.execute_script("for (const e of document.querySelectorAll('details')) e.open = true")
    assert browser.driver.title == f"winnow: {domain.domain}"
    assert browser.messages() == []
    assert browser.requests() == [address]
    assert browser.overflow() == 0
    isolated = "[...document.querySelectorAll('td, li')].every(e => getComputedStyle(e).unicodeBidi == 'isolate')"
    assert browser.driver.execute_script(f"return {isolated}")  # a mark of direction ends where its cell ends


def test_the_board_joins_pages_and_says_which_one_is_old(domain: Programs) -> None:
    done = CliRunner().invoke(app, ["board", domain.domain, "--out", "all.html"])
    assert done.exit_code == 0, done.output
    assert "⚠" not in done.output
    joined = parse(Path("all.html").read_text(encoding="utf-8"))
    (article,) = joined.all("article")
    assert article == page(domain).all("article")[0]
    ((name, verdict, headline, *_),) = tables(joined)["All domains"]
    evaluate = domain.metrics("evaluate")
    assert (name, verdict) == (domain.domain, evaluate["verdict"])
    assert NUMBER.format(evaluate[headline.split()[0]]) in headline
    file = Path("metrics", domain.domain, "judgement.json")
    file.write_text(json.dumps(judgement(domain) | {"rows_test": 12345}), encoding="utf-8")
    done = CliRunner().invoke(app, ["board", domain.domain, "--out", "all.html"])
    assert f"dvc repro plot@{domain.domain}" in done.output
    assert f"dvc repro plot@{domain.domain}" in parse(Path("all.html").read_text(encoding="utf-8")).text()
    done = CliRunner().invoke(app, ["board", "--out", "all.html"])
    assert done.exit_code == 0, done.output
    everything = parse(Path("all.html").read_text(encoding="utf-8"))
    assert len(everything.all("article")) == 1
    others = [other for other in Document(PARAMS_FILE).content["domains"] if other != domain.domain]
    told = f"there is no page of {', '.join(others)}: "
    told += f"`winnow run {' '.join(others)}` makes them" if len(others) > 1 else f"`dvc repro plot@{others[0]}`"
    assert told in everything.text(), "domains without results stop the others, or are told one by one"
    report(domain).unlink()
    done = CliRunner().invoke(app, ["board"])
    assert "no domain has a page yet" in str(done.exception)
    done = CliRunner().invoke(app, ["board", domain.domain])
    assert f"there is no page of {domain.domain}" in str(done.exception)
