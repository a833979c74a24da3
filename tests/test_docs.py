"""The pages: every figure of a table is in its results file, every link and path exists, and the guide is one.

A comment right before the table names the file, and, where a figure could be found in it by chance, which part of it a
row (by the beginning of its first cell) or a column (by its header) is taken from:

    <!-- figures: benchmarks/pipeline/results/loop.json
    transformer: [transformer/ratio, transformer/bare_ms_per_step]
    except: [command]
    -->

With several files the paths start with the file's name, after its domain where two are alike (`sessions quality/…`).
The first column, and rows and columns under `except`, are not checked. A table with
decimals whose figures come from no results file says `<!-- figures: none, and why -->`.
What pages show as printed by `train`, `evaluate` and `winnow run` is compared with the last run.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from winnow.judge.baselines import strongest
from winnow.pipeline.console import headline
from winnow.pipeline.params import Document

COMMENT = re.compile(
    r"<!-- figures: (?P<files>[^\n]*?)(?:\n(?P<parts>.*?))?\s*-->\n(?P<table>\|.*?\n)(?!\|)", re.DOTALL
)
NUMBER = r"(?<![\w.@])[-+]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)%?"
SPREAD = re.compile(rf"({NUMBER}) ± ({NUMBER})")

Figure = tuple[str, ...]
"""A number, or a mean and its standard deviation, as printed."""


@dataclass(frozen=True)
class Table:
    """A table of a page, and where its figures come from."""

    page: str
    files: list[str]
    """empty when they come from none"""
    parts: Mapping[str, list[str]]
    lines: list[str]

    @cached_property
    def tree(self) -> Any:
        stems = [Path(file).stem for file in self.files]
        contents = {
            stem if stems.count(stem) == 1 else f"{Path(file).parts[1]} {stem}": json.loads((ROOT / file).read_text())
            for file, stem in zip(self.files, stems, strict=True)
        }
        return contents if len(contents) > 1 else next(iter(contents.values()))

    def figures(self) -> Iterator[tuple[str, Figure, list[Any]]]:
        """Where each figure is, the figure, and the parts of the results it should be in."""
        header, _, *rows = (cells(line) for line in self.lines)
        for label, *values in rows:
            if self.part(label) == "except":
                continue
            for column, value in zip(header[1:], values, strict=True):
                if self.part(column) != "except":
                    parts = self.parts.get(self.part(label) or self.part(column) or "", [""])
                    for figure in figures_of(value):
                        yield f"{label} | {column}", figure, [at(self.tree, path) for path in parts]

    def part(self, name: str) -> str | None:
        """The longest name in the comment that `name` starts with."""
        if any(name.startswith(each) for each in self.parts.get("except", [])):
            return "except"
        return max((each for each in self.parts if name.startswith(each)), key=len, default=None)


def cells(line: str) -> list[str]:
    return [cell.strip().replace("`", "").replace("**", "") for cell in line.strip().strip("|").split("|")]


def figures_of(cell: str) -> list[Figure]:
    pairs: list[Figure] = list(SPREAD.findall(cell))
    return pairs + [(number,) for number in re.findall(NUMBER, SPREAD.sub("", cell))]


def at(tree: Any, path: str) -> Any:
    for name in filter(None, path.split("/")):
        assert name in tree, f"there is no {name!r} of {path!r} in the results file"
        tree = tree[name]
    return tree


def leaves(tree: Any) -> Iterator[tuple[float, ...]]:
    """The numbers of a results file, and its `mean ± sd` as pairs and as means."""
    if isinstance(tree, Mapping | list):
        for each in tree.values() if isinstance(tree, Mapping) else tree:
            yield from leaves(each)
    elif isinstance(tree, str) and (found := SPREAD.fullmatch(tree)):
        mean, spread = map(float, found.groups())
        yield from [(mean, spread), (mean,)]
    elif isinstance(tree, int | float):
        yield (float(tree),)


def printed_as(figure: Figure, values: tuple[float, ...]) -> bool:
    """Whether the values, rounded to the digits that are printed, are the figure."""
    return len(figure) == len(values) and all(
        _rounds_to(text, value) for text, value in zip(figure, values, strict=True)
    )


def _rounds_to(text: str, value: float) -> bool:
    number, percent = text.removesuffix("%").replace(",", ""), text.endswith("%")
    digits = len(number.partition(".")[2])
    return abs((100 * value if percent else value) - float(number)) <= 0.5 * 10**-digits + 1e-9


def found(figure: Figure, parts: Sequence[Any]) -> bool:
    return any(printed_as(figure, values) for part in parts for values in leaves(part))


def tables_of(page: str, text: str) -> list[Table]:
    tables = []
    for match in COMMENT.finditer(text):
        files = [] if match["files"].startswith("none") else match["files"].split()
        parts = yaml.safe_load(match["parts"] or "") or {}
        listed = {str(name): [part] if isinstance(part, str) else part for name, part in parts.items()}
        tables.append(Table(page, files, listed, match["table"].splitlines()))
    return tables


GUIDE = sorted((ROOT / "docs").glob("*.md"))
LABORATORY = sorted((ROOT / "benchmarks").rglob("*.md"))
OTHERS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "data/source").rglob("*.md"))]
PAGES = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in [*GUIDE, *LABORATORY, *OTHERS]}
TABLES = [table for page, text in PAGES.items() for table in tables_of(page, text) if table.files]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.page}: {table.lines[0][:40]}")
def test_every_figure_of_a_table_is_in_its_results_file(table: Table) -> None:
    wrong = [f"{place}: {' ± '.join(figure)}" for place, figure, parts in table.figures() if not found(figure, parts)]
    assert not wrong, f"{table.page}: not in {', '.join(table.files)}: {wrong}"
    used = {table.part(cell) for line in table.lines for cell in cells(line)}
    assert set(table.parts) <= used, "the comment names rows or columns that the table does not have"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.page}: {table.lines[0][:40]}")
def test_another_figure_would_not_be_found(table: Table) -> None:
    """With the last digit of every figure off by one, few are in the results by chance."""
    shifted = [found((_shifted(figure[0]), *figure[1:]), parts) for _, figure, parts in table.figures()]
    assert len(shifted) > 5
    assert sum(shifted) <= max(1, 0.1 * len(shifted))


def _shifted(text: str) -> str:
    number = text.removesuffix("%").replace(",", "")
    digits = len(number.partition(".")[2])
    return f"{float(number) + 10**-digits:.{digits}f}{'%' if text.endswith('%') else ''}"


def test_every_table_with_decimals_says_where_they_come_from() -> None:
    for page, text in PAGES.items():
        marked = [table.lines[0] for table in tables_of(page, text)]
        for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            header, _, *rows = table.splitlines()
            decimals = [figure for row in rows for figure in re.findall(r"(?<!\d)\d*\.\d+", " ".join(cells(row)[1:]))]
            assert header in marked or len(decimals) < 3, f"{page}: no `<!-- figures: … -->` before {header}"


def test_means_and_spreads_are_those_of_the_runs() -> None:
    checked = 0
    for file in sorted((ROOT / "benchmarks/retina/results").glob("*.json")):
        for strategy in json.loads(file.read_text()).values():
            for side in ("model", "validation"):
                for name, summary in strategy.get(side, {}).items() if isinstance(strategy, dict) else ():
                    runs = [run[name] for run in strategy[f"{side}_of_each"]]
                    mean, spread = map(float, SPREAD.fullmatch(summary).groups())  # type: ignore[union-attr]
                    assert statistics.mean(runs) == pytest.approx(mean, abs=6e-4)
                    assert (statistics.stdev(runs) if len(runs) > 1 else 0) == pytest.approx(spread, abs=6e-4)
                    checked += 1
    assert checked > 100


LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
PATH = re.compile(r"`((?:benchmarks|docs|src|stages|tests|presets|data/source|metrics|\.github)/[\w./-]+)`")
MODULE = re.compile(r"python -m (benchmarks[\w.]*)")
MADE = (
    "data/source/",
    "metrics/",
    "src/winnow/domains/tides/",
    "stages/tides/",
    "docs/tides",
    "presets/tides",
    "benchmarks/tides/",
    "tests/stages/example_tides.py",
)
"""Where commands write, where users put files of their own, and the domain that new-domain.md makes."""


@pytest.mark.parametrize("page", PAGES)
def test_every_link_path_and_program_that_a_page_names_exists(page: str) -> None:
    text, folder = PAGES[page], (ROOT / page).parent
    own = "".join(line for line in text.splitlines(keepends=True) if "https://" not in line)  # not others' files
    named = {path for path in PATH.findall(own) if not path.startswith(MADE)}
    named |= {f"{module.replace('.', '/')}.py" for module in MODULE.findall(text)}
    missing = sorted(path for path in named if not (ROOT / path).exists())
    for target, anchor in LINK.findall(text):
        file = (folder / target).resolve() if target else ROOT / page
        if target.startswith(ACTIONS):  # the badge of a workflow, on GitHub
            file = ROOT / ".github/workflows" / target.removeprefix(ACTIONS).removesuffix("/badge.svg")
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            missing.append(f"{target}#{anchor}")
    assert not missing, f"{page}: {missing}"


ACTIONS = "../../actions/workflows/"


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


LINES, WIDTH = 160, 100
FORBIDDEN = re.compile(
    r"\bthe guide\b|\basked:|\bwas asked\b|\btarget was\b|\buntil then\b|\bearlier version|\b(?:was|were) tried\b"
    r"|\bnot kept\b|\bhas since\b|\bthe preset before\b|\bas it was before\b",
    re.IGNORECASE,
)
"""What belongs in a log: what was asked of the builders, earlier versions, trials that were dropped."""


def visible(text: str) -> str:
    """A page as it is shown: without comments."""
    return re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("page", [*GUIDE, ROOT / "README.md"], ids=lambda page: page.stem)
def test_a_page_of_the_guide_is_short_and_wrapped_and_tells_no_history(page: Path) -> None:
    shown = visible(page.read_text(encoding="utf-8"))
    assert shown.count("\n") <= LINES
    prose = re.sub(r"^```.*?^```$", "", shown, flags=re.DOTALL | re.MULTILINE).splitlines()
    exempt = ("|", "    ", "   |", "![", "[![", "#")  # tables, code, pictures and headings do not wrap
    long = [line for line in prose if len(line) > WIDTH and not line.startswith(exempt)]
    assert not long
    assert not FORBIDDEN.findall(shown)


SECTIONS = (
    "Quick start", "Your data", "Stages", "Model", "Use", "Presets", "Troubleshooting",
    "Coming from the original system", "Results",
)  # fmt: skip


DOMAINS: list[str] = sorted(Document(ROOT / "params.yaml").content["domains"])


@pytest.mark.parametrize("domain", [each for each in DOMAINS if (ROOT / f"docs/{each}.md").exists()])
def test_a_domains_page_has_the_sections_of_all_in_their_order(domain: str) -> None:
    text = (ROOT / f"docs/{domain}.md").read_text(encoding="utf-8")
    headings = [heading for heading in re.findall(r"^## (.*)$", text, re.MULTILINE) if heading in SECTIONS]
    assert headings == list(SECTIONS)
    assert re.search(r"^!\[.+\]\(images/", text.partition("## ")[0], re.MULTILINE), (
        "a picture of the result comes first"
    )


STAGES = ("common", "ingest", "filter", "label", "split", "weight", "train", "evaluate", "plot")
PARAM = re.compile(rf"(?<![\w/.])((?:\w+\.)?(?:{'|'.join(STAGES)})(?:\.[a-z_0-9]+)+)")


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_the_params_that_a_page_names_exist(page: Path) -> None:
    content = Document(ROOT / "params.yaml").content
    own = [page.stem] if page.stem in content["domains"] else list(content["domains"])
    missing = []
    for name in sorted(set(PARAM.findall(visible(page.read_text(encoding="utf-8"))))):
        domain, _, rest = name.partition(".")
        domains, path = ([domain], rest) if domain in content["domains"] else (own, name)
        a_file = path.rpartition(".")[2] in {"json", "jsonl", "parquet", "py", "yml", "settings"}
        if not a_file and not any(has(content[each], path.split(".")) for each in domains):
            missing.append(name)
    assert not missing


def has(section: Any, keys: Sequence[str]) -> bool:
    """Whether a section of params.yaml has the path; lists are not looked into."""
    if not keys or isinstance(section, list):
        return True
    return isinstance(section, Mapping) and keys[0] in section and has(section[keys[0]], keys[1:])


def printed_results() -> dict[str, set[str]]:
    """What the programs print of the committed results on embedded data, by how the line begins."""
    lines: dict[str, set[str]] = {}
    params = Document(ROOT / "params.yaml").content
    for domain in DOMAINS:
        if params[domain]["ingest"]["sources"] or not (ROOT / f"metrics/{domain}/evaluate.json").exists():
            continue  # a user's files, or a domain that has just been added
        verdict, value, baseline = headline(json.loads((ROOT / f"metrics/{domain}/evaluate.json").read_text()))
        best = json.loads((ROOT / f"metrics/{domain}/train/metrics.json").read_text())
        measured = json.loads((ROOT / f"metrics/{domain}/judgement.json").read_text())["baseline"]
        lines[f"evaluate@{domain}"] = {f"evaluate@{domain} {verdict}: {value}, strongest baseline {baseline}"}
        lines[f"train@{domain}"] = {
            f"train@{domain} best epoch {best['epoch']}, val {name} {found:.4g}, model in data/{domain}/train/model"
            for name, found in best["val"].items()
            if isinstance(found, float)
        }
        lines[domain] = {f"{domain} {verdict} {value} {strongest(measured, value.split()[0])} {baseline}"}
    return lines


@pytest.mark.parametrize("page", PAGES)
def test_results_that_a_page_shows_as_printed_are_those_of_the_last_run(page: str) -> None:
    expected = printed_results()
    for line in PAGES[page].splitlines():
        words = line.split()
        if line.startswith("    ") and words[0] in expected and re.search(r"\d\.\d", line):
            shown = " ".join(words).removesuffix("…").rstrip()
            assert any(each.startswith(shown) for each in expected[words[0]]), f"{shown!r}: {expected[words[0]]}"


def test_the_site_has_every_page_and_no_broken_link(tmp_path: Path) -> None:
    """As `make docs` builds it; what is found wrong stops it."""
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert {page.stem for page in GUIDE} <= {page.stem for page in tmp_path.glob("*.html")}
    for page in tmp_path.glob("*.html"):
        loaded = re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=[\"']?(https?:[^\"'> ]*)", page.read_text())
        assert not loaded, f"{page.name} loads from another host"
    (listed,) = [each for each in GUIDE if each.stem == "index"]
    assert {page.name for page in GUIDE if page != listed} <= set(LINK_NAMES.findall(listed.read_text()))


LINK_NAMES = re.compile(r"\]\(([\w-]+\.md)\)")


def test_what_github_reads_is_valid() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()
    templates = [
        yaml.safe_load(file.read_text())
        for file in sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
        if file.stem != "config"
    ]
    for template in templates:
        assert {"name", "description", "body"} <= template.keys()
        assert len({part["id"] for part in template["body"]}) == len(template["body"])
    assert any("winnow doctor --json" in str(template) for template in templates)
    assert "winnow doctor --json" in (ROOT / ".github/pull_request_template.md").read_text()
