"""What the data stages did to the rows: how many each kept, and which it left out, why, with the first cases."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.compute as pc
import pyarrow.parquet as pq

from winnow.curate.overlaps import FILE, METRIC, overlap_line
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import read_json
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.pipeline.tables import open_parquet, reading_parquet
from winnow.pipeline.text import shown

STAGES = ("ingest", "filter", "label", "split", "weight")
LEFT_OUT = {"rejected": "reason", "dropped": "rule", "unlabelled": "reason"}
"""The tables of left-out rows that a stage may write, and their column of reasons."""
CASES, REASONS = 3, 20
"""Shown of each reason, and of each table."""
VALUE, LINE = 32, 160
"""Characters shown of a value, and of a case."""


def rows_of(domain: str, stage: str | None = None) -> dict[str, Any]:
    """By data stage: `rows` (the counts of its metrics), and `left_out`, a list of reason, rows and the first cases.

    A case is a row of the stage's table, or the ingested row that it names. `rows` is None for a stage that has not
    run, `left_out` for one whose tables are not here, or do not hold the rows that it counted. A stage that found
    sources with the same rows has `overlaps` too, see `curate.overlaps`. Raises WinnowError for another stage.
    """
    if stage not in (None, *STAGES):
        raise WinnowError(f"{stage} is no data stage", fix=f"--stage {'|'.join(STAGES)}")
    return {name: _stage_rows(domain, name) for name in STAGES if stage in (None, name)}


def _stage_rows(domain: str, stage: str) -> dict[str, Any]:
    file, folder = Path("metrics", domain, f"{stage}.json"), Path("data", domain, stage)
    if not file.exists():
        return {"rows": None, "left_out": None}
    metrics = read_json(file)
    counts = {name.removeprefix("rows_"): n for name, n in metrics.items() if name.startswith("rows_")}
    tables = [(folder / f"{name}.parquet", column) for name, column in LEFT_OUT.items()]
    found = [each for path, column in tables if path.exists() for each in _left_out(path, column)]
    told, shown = sum(counts.get(name, 0) for name in LEFT_OUT), sum(entry["rows"] for entry in found)
    here = folder.is_dir() and told == shown  # not after a `git checkout` alone, which brings the metrics
    overlaps = {METRIC: list(_overlaps(folder / FILE, domain, metrics[METRIC]))} if metrics.get(METRIC) else {}
    return {"rows": {"in": counts.pop("in"), **counts}, "left_out": found if here else None, **overlaps}


def _overlaps(path: Path, domain: str, pairs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What a stage told of sources with the same rows, as text too, and the first places where its table is here."""
    table = None
    if path.exists():
        with reading_parquet(path):
            table = open_parquet(path).read()
    for pair in pairs:
        first: list[str] = []
        if table is not None:
            of_pair = (pc.field("source") == pair["source"]) & (pc.field("other") == pair["other"])
            first = table.filter(of_pair)["place"].slice(0, CASES).to_pylist()
        yield {**pair, "told": overlap_line(domain, pair), "first": first}


def _left_out(path: Path, column: str) -> Iterator[dict[str, Any]]:
    """The most frequent reasons in a table of left-out rows, with their counts and first cases."""
    with reading_parquet(path):
        table = open_parquet(path).read()
    own = {each["values"]: each["counts"] for each in table[column].value_counts().to_pylist()}
    kinds: dict[str, list[str]] = {}
    for reason in own:
        kinds.setdefault(str(reason).partition(": ")[0], []).append(reason)  # without the value that is wrong
    counts = {kind: sum(own[reason] for reason in reasons) for kind, reasons in kinds.items()}
    ordered = sorted(counts, key=lambda kind: -counts[kind])
    for kind in ordered[:REASONS]:
        chosen = table.filter(pc.field(column).isin(kinds[kind])).slice(0, CASES)
        first = _with_content(chosen.drop_columns(column).to_pylist(), path.parent.parent / "ingest")
        if len(kinds[kind]) > 1:
            first = [{**case, column: why} for case, why in zip(first, chosen[column].to_pylist(), strict=True)]
            yield {"reason": kind, "rows": counts[kind], "first": first}
        else:
            yield {"reason": kinds[kind][0], "rows": counts[kind], "first": first}
    if others := ordered[REASONS:]:
        rows = sum(counts[reason] for reason in others)
        yield {"reason": f"{len(others)} other reasons", "rows": rows, "first": []}


def _with_content(cases: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """The rows that the ingested table with the cases' key has of them; a source's own row is in no table."""
    if len(cases[0]) > 1:
        return cases
    (key,) = cases[0]
    keys = [case[key] for case in cases]
    for path in sorted(folder.glob("*.parquet")):
        with reading_parquet(path):
            schema = pq.read_schema(path)
            if key not in schema.names:
                continue
            plain = [
                field.name for field in schema if not arrow.types.is_nested(field.type) and not _is_binary(field.type)
            ]
            rows = pq.read_table(path, columns=plain, filters=[(key, "in", keys)]).to_pylist()
        if sorted(row[key] for row in rows) == sorted(keys):
            return sorted(rows, key=lambda row: keys.index(row[key]))
    return cases


def _is_binary(kind: arrow.DataType) -> bool:
    return bool(arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind))


def limits_line(domain: str) -> str:
    """The values of params.yaml by which filter drops rows now."""
    values = Document(PARAMS_FILE).content[domain].get("filter") or {}
    told = ", ".join(f"{name} {value}" for name, value in values.items() if isinstance(value, int | float | str))
    return f"{domain}.filter in params.yaml: {told}" if told else ""


def as_lines(found: Mapping[str, Mapping[str, Any]], limits: str = "") -> Iterator[str]:
    """What `rows_of` found, as text; `limits`, see `limits_line`, stands below the rows that filter left out."""
    for stage, each in found.items():
        if each["rows"] is None:
            yield f"{stage:<8}has no results: it has not run, or its last run failed"
            continue
        yield f"{stage:<8}{each['rows']['in']:,} rows: {parts_line(each['rows'])}"
        if each["left_out"] is None:
            yield "        the tables with these rows are not here: `dvc checkout` or `dvc pull` brings them"
        for entry in each["left_out"] or []:
            yield shown(f"  {entry['rows']:>8,}  {entry['reason']}")
            yield from (f"            {case_line(case)}" for case in entry["first"])
        if stage == "filter" and each["left_out"] and limits:
            yield shown(f"            {limits}")
        for pair in each.get(METRIC, []):
            yield shown(f"  {pair['rows']:>8,}  {pair['told']}")
            if pair["first"]:
                places = ", ".join(_cut(place, VALUE) for place in pair["first"])
                yield _cut(f"            the first in {pair['source']}: {places}", LINE)


def parts_line(counts: Mapping[str, int]) -> str:
    """What became of a stage's rows: `2,973 kept, 27 dropped`."""
    return ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in counts.items() if name != "in")


def case_line(case: Mapping[str, Any]) -> str:
    """A row that was left out: what is known of it, in one line."""
    known = (
        (name, f"{value:.4g}" if isinstance(value, float) and abs(value) < 1e4 else str(value))
        for name, value in case.items()
        if value not in (None, "")
    )
    return _cut(", ".join(f"{name} {_cut(value, VALUE)}" for name, value in known), LINE)


def _cut(text: str, length: int) -> str:
    return shown(text if len(text) <= length else text[: length - 1] + "…")
