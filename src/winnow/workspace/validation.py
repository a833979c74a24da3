"""params.yaml as a whole: types and bounds, and what depends on several sections or on files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from winnow.domains.load import domain_names, load
from winnow.learn.settings import TrainingSettings
from winnow.pipeline.errors import ParamsError
from winnow.pipeline.files import is_watched
from winnow.pipeline.params import PARAMS_FILE, Document, Location, Runtime, dotted, whole_file
from winnow.pipeline.section import Section, model_paths


def params_model() -> type[Section]:
    """The model of all of params.yaml."""
    return whole_file({name: load(name, "params").Params for name in domain_names()})


def read_params() -> dict[str, Any]:
    """The values of params.yaml; raises ParamsError unless all have the right type and bounds."""
    document = Document(PARAMS_FILE)
    document.section((), params_model())
    return document.content


def read_each_domain() -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The values of params.yaml, and what is wrong with each domain whose section is not valid.

    What is wrong in one domain stops nothing that another one needs. Raises ParamsError for what concerns all of them.
    """
    document = Document(PARAMS_FILE)
    _check_shared(document)
    problems = {name: _type_problems(document, name) for name in domain_names()}
    return document.content, {name: found for name, found in problems.items() if found}


def _check_shared(document: Document) -> None:
    """Raise ParamsError listing what is wrong beside the domains' sections."""
    document.section((), whole_file(dict.fromkeys(domain_names(), Any)))


def _type_problems(document: Document, domain: str) -> list[str]:
    """What is not of the right type or out of bounds in a domain's section, each with its file and line."""
    try:
        document.section((domain,), load(domain, "params").Params)
    except ParamsError as error:
        return error.what.splitlines()
    return []


def _problems(document: Document, domain: str) -> list[str]:
    """What is wrong with a domain's section, each with its file and line; empty when it is valid."""
    devices = document.section(("runtime",), Runtime).devices
    if problems := _type_problems(document, domain):
        return problems
    section = document.section((domain,), load(domain, "params").Params)
    found = [*_metric_problems(domain, section), *_path_problems(domain, section), *_batch_problems(section, devices)]
    placed = [((domain, *location), problem) for location, problem in found]
    return [f"{document.at(whole)}: `{dotted(whole)}`: {problem}" for whole, problem in placed]


def check_types(document: Document, domain: str) -> None:
    """Raise ParamsError for a wrong type or bound in a domain's section, or beside those of all domains."""
    _check_shared(document)
    document.section((domain,), load(domain, "params").Params)


def validate_domain(document: Document, domain: str) -> None:
    """Raise ParamsError listing everything wrong with a domain's section, or beside those of all domains."""
    check_types(document, domain)
    if problems := _problems(document, domain):
        raise ParamsError(problems, fix="correct the values named above")


def validate_params(document: Document) -> None:
    """Raise ParamsError listing everything wrong with params.yaml."""
    document.section((), params_model())
    if problems := [problem for domain in domain_names() for problem in _problems(document, domain)]:
        raise ParamsError(problems, fix="correct the values named above")


Problem = tuple[Location, str]


def _metric_problems(domain: str, section: Any) -> Iterator[Problem]:
    """Metrics that the gate and early stopping name, and that the domain does not measure."""
    metrics = load(domain, "metrics")
    gate = section.evaluate.gate
    judged: list[tuple[Location, str]] = [(("gate", "headline"), gate.headline)]
    judged += [(("gate", "conditions", i, "metric"), each.metric) for i, each in enumerate(gate.conditions)]
    for location, metric in judged:
        if metric not in metrics.GATE_METRICS:
            yield ("evaluate", *location), f"{metric!r} is not measured; known: {', '.join(metrics.GATE_METRICS)}"
    watched = section.train.early_stopping.metric
    if watched not in metrics.VALIDATION_METRICS:
        known = ", ".join(metrics.VALIDATION_METRICS)
        yield ("train", "early_stopping", "metric"), f"{watched!r} is not a validation metric; known: {known}"


def _path_problems(domain: str, section: Section) -> Iterator[Problem]:
    """Files that a param names outside the folder that DVC watches for them, or that do not exist."""
    folder = Path("data", "source", domain, "models")
    for location, value in model_paths(section):
        if not is_watched(Path(value), folder):
            yield location, f"{value!r} is not below {folder}; copy it there, so that DVC tracks it, and `dvc add` it"
        elif not Path(value).exists():
            yield location, f"{value} does not exist; put it there, or `dvc pull` it"


def _batch_problems(section: Any, devices: int) -> Iterator[Problem]:
    """Batches that cannot be cut evenly into one piece for every device and micro-batch."""
    train: TrainingSettings = section.train
    pieces = devices * train.gradient_accumulation_steps
    if train.batch_size % pieces:
        cut = f"{devices} devices (runtime.devices) × {train.gradient_accumulation_steps} steps of accumulation"
        problem = f"{train.batch_size} rows cannot be divided evenly into {cut}; use a multiple of {pieces}"
        yield ("train", "batch_size"), problem
