"""The scored texts that articles is measured on, from their publishers: `python -m benchmarks.articles.prepare`.

EmoBank's own training and development sentences; of ELLIPSE's essays and HANNA's stories three quarters.
"""

import ast
import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.fetching import check, new_folder, published

EMOBANK = {"valence": "V", "arousal": "A", "dominance": "D"}
ELLIPSE = ("overall", "cohesion", "syntax", "vocabulary", "phraseology", "grammar", "conventions")
PASSWORD = b"ellipse_test"
"""ELLIPSE's README states it: it keeps crawlers from taking the essays in."""
CRITERIA = ("Relevance", "Coherence", "Empathy", "Surprise", "Engagement", "Complexity")
SHORT = ("RE", "CH", "EM", "SU", "EG", "CX")
MODELS = ("Beluga-13B", "Mistral-7B", "Llama-13B", "ChatGPT")

Row = Mapping[str, Any]


def read_csv(text: str) -> list[dict[str, str]]:
    csv.field_size_limit(2**24)
    return list(csv.DictReader(io.StringIO(text)))


def as_lines(rows: Iterable[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def emobank(table: Iterable[Mapping[str, str]]) -> Iterator[Row]:
    for row in table:
        if row["split"] != "test":
            scores = {name: float(row[column]) for name, column in EMOBANK.items()}
            yield {"id": row["id"], "content": row["text"], "split": row["split"], "scores": scores}


def ellipse(table: Iterable[Mapping[str, str]]) -> Iterator[Row]:
    for row in table:
        name = row["text_id_kaggle"]
        if int(hashlib.sha1(name.encode()).hexdigest(), 16) % 4:
            scores = {dimension: float(row[dimension.capitalize()]) for dimension in ELLIPSE}
            yield {"id": name, "title": row["prompt"], "content": row["full_text"], "scores": scores}


def hanna(table: Iterable[Mapping[str, str]]) -> str:
    """A row for each story of each system, with the means of three people and the scores of four language models.

    In the published file a system is a row, and a cell the list of its stories' scores.
    """
    columns = {f"human_{name.lower()}": name for name in CRITERIA} | {
        f"{model.lower()}_{short.lower()}_{prompt}": f"{model} {short} {prompt}"
        for model in MODELS
        for prompt in range(1, 5)
        for short in SHORT
    }
    text, item = io.StringIO(), 0
    writer = csv.writer(text)
    writer.writerow(["item", "system", *columns])
    for row in table:
        for values in zip(*(ast.literal_eval(row[column]) for column in columns.values()), strict=True):
            if item % 4:
                writer.writerow([item, row["Model"], *(round(float(value), 4) for value in values)])
            item += 1
    return text.getvalue()


def write_archive(file: Path, name: str, content: bytes) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), content)


def main() -> None:
    target = new_folder("articles")
    with published("JULIELab/EmoBank", "248dce8a43e165a66d31aeaed83cff9641d6654e0", "corpus/emobank.csv") as folder:
        rows = emobank(read_csv((folder / "corpus/emobank.csv").read_text(encoding="utf-8")))
        (target / "emobank_train_dev.jsonl").write_bytes(as_lines(rows))
    name = "ELLIPSE_Final_github_test.zip"
    with (
        published("scrosseye/ELLIPSE-Corpus", "b5f4469611d2596810d31d1a60921e54ce97ad07", name) as folder,
        zipfile.ZipFile(folder / name) as archive,
    ):
        (member,) = [each for each in archive.namelist() if each.endswith(".csv") and not each.startswith("__")]
        text = archive.read(member, pwd=PASSWORD).decode("utf-8-sig")
    write_archive(target / "ellipse_essays.zip", "ellipse_essays.jsonl", as_lines(ellipse(read_csv(text))))
    name = "hanna_metric_scores_llm.csv"
    with published("dig-team/hanna-benchmark-asg", "282f27536a5d05ad4ce14298abcd70c45668fed2", name) as folder:
        made = hanna(read_csv((folder / name).read_text(encoding="utf-8")))
    (target / "hanna_human_vs_llm_scores.csv").write_bytes(made.encode())
    check("articles")


if __name__ == "__main__":
    main()
