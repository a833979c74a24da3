"""What drops articles besides params.yaml, for `winnow rows`."""

from collections.abc import Mapping
from typing import Any

from winnow.domains.articles.source.filters import FOLDER, read_filter
from winnow.pipeline.errors import WinnowError


def limits(section: Mapping[str, Any]) -> str:
    """The rules of the filter's prefilter, as it is now; `section` is that of params.yaml."""
    name = section["common"]["definition"]
    try:
        rules = read_filter(name).prefilter.model_dump(exclude={"topic"})
    except WinnowError:  # ingest says what is wrong with it
        return ""
    plain = {key: value for key, value in rules.items() if not isinstance(value, dict)}
    inner = {f"{key}.{each}": value for key, values in rules.items() if isinstance(values, dict)
             for each, value in values.items()}  # fmt: skip
    told = ", ".join(f"{key} {value}" for key, value in {**plain, **inner}.items() if value not in ([], None))
    return f"{FOLDER / name / 'prefilter.yaml'}: {told}"
