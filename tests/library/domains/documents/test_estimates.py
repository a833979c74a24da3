"""From the heads' logits to estimates: each head's figure, the mean over views, and what the heat maps show."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

from winnow.domains.documents import definitions
from winnow.domains.documents.definitions import Decision, Preparation, Tiling
from winnow.domains.documents.judging import judge_pages
from winnow.domains.documents.model.estimates import Calibration, Raw, Rows, estimate, page_inputs, raw_estimates
from winnow.domains.documents.model.heatmaps import explain
from winnow.domains.documents.model.network import Assessor, Outputs
from winnow.domains.documents.model.tiling import cut, mirrored
from winnow.domains.documents.rules.measures import NAMES, measure
from winnow.domains.documents.source.synthetic import draw_page
from winnow.images.codec import encode_png
from winnow.images.store import read_images, write_images

AS_IT_IS = Calibration((1.0, 0.0, 0.0), 0.0, (1.0, 0.0), 0.0, 0.0, 1.0, 0.4, 0.05, readable=True)
"""The score's and legibility's heads alone, and probabilities unchanged."""


def network(patches: int = 3, tta_views: int = 1) -> Assessor:
    torch.manual_seed(0)
    return Assessor(
        "small_resnet",
        depths=7,
        frozen_blocks=0,
        hidden_dim=16,
        dropout_rate=0.0,
        use_attention=True,
        tta_views=tta_views,
        measures=NAMES,
        tiling=Tiling(patches, 32, "inked", (40,)),
        preparation=Preparation(2000, 120),
        decision=Decision(0.2, 0.6, 0.5, 8.0, 0.0005),
    ).eval()


def page() -> np.ndarray:
    made = np.full((100, 130), 255, np.uint8)
    made[32:64, 64:96] = np.random.default_rng(0).integers(0, 256, (32, 32))
    made[68:70, 5:60] = 0
    return made


def test_each_head_gives_its_own_figure() -> None:
    rng = np.random.default_rng(0)
    shapes = (7, 7, (7, 5), (7, 10), 7)
    score, legible, classes, issues, readable = (rng.normal(size=shape) for shape in shapes)
    logits = (score, legible, classes, issues, readable)
    found = raw_estimates(Outputs(*(torch.from_numpy(values) for values in logits)))
    assert found.readability == pytest.approx(expit(readable))
    assert found.severities == pytest.approx(expit(issues))
    assert found.probabilities == pytest.approx(softmax(classes, axis=1))
    assert found.scores[:, 0] == pytest.approx(expit(score))
    worst = expit(issues).max(axis=1)
    assert found.scores[:, 1] == pytest.approx(1 - np.minimum(1, 0.75 * worst + 0.25 * expit(issues).sum(axis=1)))
    assert found.scores[:, 2] == pytest.approx(softmax(classes, axis=1) @ [0.9, 0.7, 0.5, 0.3, 0.1])
    assert found.legibility[:, 0] == pytest.approx(expit(legible))
    damage = np.delete(expit(issues), [definitions.ISSUES.index(issue) for issue in ("skew", "cropped")], axis=1)
    by_function = 1 - np.minimum(1, 0.75 * damage.max(axis=1) + 0.25 * damage.sum(axis=1))
    assert found.legibility[:, 1] == pytest.approx(by_function)


def test_pages_are_judged_by_the_mean_over_all_views_of_the_model() -> None:
    model = network(tta_views=3)
    rows = torch.from_numpy(cut(page(), model.tiling))[None]
    measures = torch.tensor([list(measure(page()).values())], dtype=torch.float32)
    views = [Rows(mirrored(rows, model.tiling, view), torch.arange(1)) for view in range(3)]
    each = [estimate(model, [view], measures, 8) for view in views]
    assert each[0].scores[0, 0] != each[1].scores[0, 0] != each[2].scores[0, 0]
    found, (facts,) = judge_pages(model, AS_IT_IS, [page()])
    assert facts == pytest.approx(measure(page()))
    assert found.score[0] == pytest.approx(np.mean([view.scores[0, 0] for view in each]))
    assert found.legibility[0] == pytest.approx(np.mean([view.legibility[0, 0] for view in each]))
    assert found.severities == pytest.approx(np.mean([view.severities for view in each], axis=0))
    assert found.probabilities == pytest.approx(np.mean([view.probabilities for view in each], axis=0))


def test_attention_weighs_patches_in_shares_that_sum_to_one() -> None:
    """Patches that are shown twice change nothing."""
    model, twice = network(3), network(6)
    twice.load_state_dict(model.state_dict())
    embedded, measures = torch.randn(1, 4, 2 * (32 + 64 + 128)), torch.randn(1, len(NAMES))
    doubled = torch.cat([embedded[:, :3], embedded], dim=1)
    for one, other in zip(model.judge(embedded, measures), twice.judge(doubled, measures), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(("direction", "highest"), [(-1.0, 255), (1.0, 0)])
def test_heat_is_where_the_last_feature_maps_lower_the_score_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, direction: float, highest: int
) -> None:
    model = network()

    def judge(embedded: torch.Tensor, measures: torch.Tensor) -> Outputs:
        means = embedded[:, : model.tiling.patches, -2 * 128 : -128]  # of the last maps, none of them negative
        score = direction * means.sum(dim=(1, 2))
        return Outputs(score, score, embedded, embedded, score)

    monkeypatch.setattr(model, "judge", judge)
    assert explain(model, page()).heat.max() == highest


def test_heat_of_the_whole_page_lies_where_it_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A score that falls with the brightness of the last maps of the view, which is made to follow the page's ink."""
    model, wide = network(), np.full((100, 130), 255, np.uint8)
    wide[70:90, 90:120] = 0

    def judge(embedded: torch.Tensor, measures: torch.Tensor) -> Outputs:
        score = -embedded[:, model.tiling.patches, -2 * 128 : -128].sum(dim=1)
        return Outputs(score, score, embedded, embedded, score)

    def ink(images: torch.Tensor) -> torch.Tensor:
        dark = torch.nn.functional.avg_pool2d(255 - images.float()[:, None], 4)
        return dark.expand(-1, 128, -1, -1)

    monkeypatch.setattr(model, "judge", judge)
    monkeypatch.setattr("winnow.domains.documents.model.heatmaps._features", lambda _, images: ink(images))
    heat = explain(model, wide).heat
    assert heat[75:85, 95:115].min() > 120
    assert heat[:50, :70].max() < 20


def test_inputs_of_a_backbone_that_learns_are_cut_when_they_are_asked_for(tmp_path: Path) -> None:
    """Kept, they would take 44 GB of 100,000 pages."""
    pages = [draw_page("letter", 300, np.random.default_rng(number)) for number in range(4)]
    with write_images(tmp_path / "images.arrow") as store:
        for number, page in enumerate(pages):
            store.add(str(number), encode_png(page))
    model = network()
    for mirror in (0, 1):
        inputs = page_inputs(model, read_images(tmp_path / "images.arrow"), torch.device("cpu"), mirror)
        found = Rows(inputs, torch.tensor([3, 1, 0])).read(torch.tensor([0, 2]))
        expected = torch.from_numpy(np.stack([cut(pages[number], model.tiling) for number in (3, 0)]))
        assert torch.equal(found, mirrored(expected, model.tiling, mirror))
    assert not (tmp_path / ".winnow").exists()


def test_estimates_do_not_depend_on_the_batch() -> None:
    model, pages = network(), [page(), page()[::-1].copy(), page()[:, ::-1].copy()]
    rows = torch.from_numpy(np.stack([cut(each, model.tiling) for each in pages]))
    measures = torch.tensor([list(measure(each).values()) for each in pages], dtype=torch.float32)
    whole, parts = (estimate(model, [Rows(rows, torch.arange(3))], measures, size) for size in (3, 2))
    for one, other in zip(whole, parts, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_legibility_is_never_below_the_score_as_by_their_definitions() -> None:
    raw = Raw(
        np.full((2, 3), 0.7), np.array([[0.4, 0.4], [0.9, 0.9]]), np.eye(5)[[1, 1]], np.zeros((2, 10)), np.ones(2)
    )
    found = AS_IT_IS.apply(raw)
    assert found.legibility == pytest.approx([0.7, 0.9])
    assert found.readability == pytest.approx([1, 1])
    assert np.isnan(replace(AS_IT_IS, readable=False).apply(raw).readability).all()
