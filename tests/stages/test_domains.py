"""What holds of every domain's stages, run on the real params with less data."""

import json
from dataclasses import is_dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tests.fake_tensors import fake_tensors
from tests.stages.programs import Programs
from winnow.domains.load import load
from winnow.judge.intervals import bootstrap, mean, values
from winnow.judge.paired import paired_intervals, same_rows
from winnow.learn.samplers import BatchShare
from winnow.learn.task import Task
from winnow.recommend import propagation, sparse


def test_what_is_measured_is_what_the_domain_lists(domain: Programs) -> None:
    metrics = load(domain.domain, "metrics")
    curves = Path("metrics", domain.domain, "train/plots/metrics/val")
    validated = {file.relative_to(curves).with_suffix("").as_posix() for file in curves.rglob("*.tsv")}
    grouped = {name for name in metrics.VALIDATION_METRICS if "/" in name}  # of groups without a row there is none
    assert validated <= set(metrics.VALIDATION_METRICS)
    assert set(metrics.VALIDATION_METRICS) - validated <= grouped
    assert set(domain.metrics("judgement")["model"]) == set(metrics.GATE_METRICS)


def test_evaluate_json_is_short_and_agrees_with_judgement_json(domain: Programs) -> None:
    short, whole = domain.metrics("evaluate"), domain.metrics("judgement")
    headline = domain.section("evaluate").gate.headline
    last_of_training = json.loads(Path("metrics", domain.domain, "train/metrics.json").read_text())
    assert len(pd.json_normalize([short]).columns) + len(pd.json_normalize([last_of_training]).columns) <= 15
    assert short["verdict"] == whole["verdict"]
    assert short[headline] == whole["model"][headline]
    bounds = whole["interval"][headline]
    assert (short[f"{headline}_low"], short[f"{headline}_high"]) == (bounds["low"], bounds["high"])
    assert short[f"{headline}_baseline"] in [values[headline] for values in whole["baseline"].values()]
    assert set(whole["difference"][headline]) == set(whole["baseline"])
    assert all(condition.metric in whole["interval"] for condition in domain.section("evaluate").gate.conditions)
    assert not set(whole["reference"]) & set(whole["baseline"])


def test_stored_tables_give_the_metrics_that_models_are_compared_by(domain: Programs) -> None:
    """Every metric of the default gate can be compared row by row, and is the one that evaluate found."""
    whole, gate, found = domain.metrics("judgement"), domain.section("evaluate").gate, {}
    for compared in load(domain.domain, "metrics").COMPARED:
        key = list(compared.key)
        rows = compared.rows(domain.table(compared.path)).sort_values(key, ignore_index=True)
        assert not rows.duplicated(key).any(), compared.path
        assert compared.groups is None or rows[compared.groups].notna().all()
        found |= values(compared.statistics(rows), len(rows)) if len(rows) else {}
    named = {gate.headline, *(condition.metric for condition in gate.conditions)}
    assert named - set(whole.get("unmeasured", {})) <= set(found)
    for name in set(found) & set(whole["model"]):
        assert found[name] == pytest.approx(whole["model"][name], rel=1e-5), name


TOGETHER = {"articles": "group", "climb": "hold_set", "documents": "document", "retina": "patient"}
"""The column of test rows that are no independent cases; a recommender's rows are users or playlists."""
LABEL = {
    "articles": "true",
    "climb": "grade",
    "documents": "true_score",
    "playlists": "held_out",
    "retina": "grade",
    "sessions": "held_out",
}
"""A column that says what is true of a row; of a domain that is not listed here, what it says itself."""


def test_compare_resamples_what_belongs_together_and_pairs_rows_of_one_truth(domain: Programs) -> None:
    compared = load(domain.domain, "metrics").COMPARED[0]
    rows = compared.rows(domain.table(compared.path)).sort_values(list(compared.key), ignore_index=True)
    after = rows.assign(value=np.random.default_rng(0).normal(size=len(rows)))
    of_value = replace(compared, statistics=lambda table: {"value": mean(table["value"])})
    options: dict[str, Any] = {"resamples": 100, "confidence": 0.95}
    found = paired_intervals(
        of_value, rows.assign(value=0.0), after, ["value"], rng=np.random.default_rng(1), **options
    )
    column = TOGETHER.get(domain.domain) if domain.domain in LABEL else compared.groups
    groups = rows[column] if column else None
    expected = bootstrap(
        {"value": mean(after["value"])}, len(rows), rng=np.random.default_rng(1), groups=groups, **options
    )
    assert (found["value"].low, found["value"].high) == pytest.approx((expected["value"].low, expected["value"].high))
    assert same_rows(rows, rows.sample(frac=1, random_state=0), compared)
    label = LABEL.get(domain.domain) or compared.truth[0]
    other = rows[label].to_list()
    other[0] = "another" if isinstance(other[0], str) else other[0] + 1
    assert not same_rows(rows, rows.assign(**{label: other}), compared), f"another {label} is another test set"


class CapturedError(Exception):
    """Ends a train stage once its task is known."""


ON_THE_CPU = {"climb": {"eval_samples": 0}}
"""What is left out of a train stage because it is drawn on the CPU, from the numbers that the network gives."""


def captured_task(domain: Programs, monkeypatch: pytest.MonkeyPatch) -> Task:
    """The task that the domain's train stage passes to the loop."""
    found: list[Task] = []

    def capture(_: object, task: Task) -> None:
        found.append(task)
        raise CapturedError

    monkeypatch.setattr(import_module(f"stages.{domain.domain}.train"), "train_model", capture)
    with pytest.raises(CapturedError):
        domain.run("train", **ON_THE_CPU.get(domain.domain, {}))
    return found[0]


def test_checkpoints_hold_all_that_is_trained(domain: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a checkpoint lacks keeps the last epoch's values when the best one's weights are loaded."""
    task = captured_task(domain, monkeypatch)
    model = task.build()
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained
    assert trained - set(task.state_dict_keys(model)) == set()
    optimised = {id(parameter) for group in task.parameter_groups(model) for parameter in group["params"]}
    assert {name for name, parameter in model.named_parameters() if id(parameter) in optimised} == trained


def without_sparse_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dense stand-ins for the products of sparse matrices, which fake tensors do not know; devices must agree."""

    def dense(starts: Tensor, ends: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
        assert starts.device == ends.device == values.device
        return values.new_zeros(shape)

    def edge_products(values: Any, at_user: Tensor, at_item: Tensor) -> Tensor:
        assert at_user.device == at_item.device == values.graph.item.device
        return at_user.new_zeros(len(values.graph.item), len(values.by_user))

    monkeypatch.setattr(sparse, "csr", dense)
    monkeypatch.setattr(propagation, "_edge_products", edge_products)


def test_loss_and_validation_compute_where_the_model_is(domain: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    """On fake tensors, which need no GPU but refuse operations between tensors of a GPU and of the CPU."""
    task = captured_task(domain, monkeypatch)
    loaders = task.loaders(domain.section("train").subset, BatchShare(8, 1, 1, 0))
    model, batch, val = task.build(), loaders.train.batch(0, 0), loaders.val[0]
    without_sparse_kernels(monkeypatch)
    with fake_tensors(allow_non_fake_inputs=False) as mode:

        def moved(value: Any) -> Any:
            if isinstance(value, Tensor):
                return mode.from_tensor(value).to("cuda")
            if isinstance(value, dict):
                return {name: moved(each) for name, each in value.items()}
            assert is_dataclass(value)
            tensors = {name: each for name, each in vars(value).items() if isinstance(each, Tensor)}
            return replace(value, **moved(tensors))

        for module in model.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    fake = torch.nn.Parameter(moved(parameter).detach(), requires_grad=parameter.requires_grad)
                    module._parameters[name] = fake
            module._buffers.update({name: moved(each) for name, each in module._buffers.items() if each is not None})
        constants = moved(dict(task.constants))
        loss = task.loss(model.train(), moved(batch) | constants)
        assert loss.total.device.type == "cuda"  # autograd's backward needs a real GPU
        assert loss.total.requires_grad
        assert all(part.device.type == "cuda" for part in loss.parts.values())
        with torch.no_grad():
            (rows,) = task.predict(model.eval(), [moved(val) | constants])
        assert {each.device.type for each in rows.values()} == {"cuda"}
        assert len({len(each) for each in rows.values()}) == 1
