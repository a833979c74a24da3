"""Parts of a page, the network over them, mixing, and heat maps."""

import numpy as np
import pytest
import torch

from winnow.domains.documents.definitions import Decision, Preparation, Tiling
from winnow.domains.documents.model.heatmaps import explain
from winnow.domains.documents.model.mixing import MixedLoader, Mixing
from winnow.domains.documents.model.network import Assessor
from winnow.domains.documents.model.tiling import cut, cut_all, mirrored, places, split
from winnow.domains.documents.params import Augment
from winnow.domains.documents.rules.measures import NAMES
from winnow.images.codec import encode_png
from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.vision.pooling import summarised

CUTTING = Tiling(patches=3, patch_size=32, choice="inked", views=(40,))


def network(tiling: Tiling = CUTTING, *, attention: bool = True, depths: int = 7) -> Assessor:
    torch.manual_seed(0)
    return Assessor(
        "small_resnet",
        depths=depths,
        frozen_blocks=0,
        hidden_dim=16,
        dropout_rate=0.0,
        use_attention=attention,
        tta_views=1,
        measures=NAMES,
        tiling=tiling,
        preparation=Preparation(2000, 120),
        decision=Decision(0.2, 0.6, 0.5, 8.0, 0.0005),
    ).eval()


def page(height: int = 100, width: int = 130) -> np.ndarray:
    """White, with noise in one place and a few lines elsewhere."""
    made = np.full((height, width), 255, np.uint8)
    made[32:64, 64:96] = np.random.default_rng(0).integers(0, 256, (32, 32))
    made[68:70, 5:60] = 0
    return made


def test_patches_are_taken_where_most_edges_are_or_evenly() -> None:
    assert places(page(), CUTTING)[0].tolist() == [32, 64]
    even = places(page(), Tiling(4, 32, "grid", ()))
    assert len({tuple(place) for place in even.tolist()}) == 4
    assert even[0].tolist() < even[-1].tolist()
    corners = places(page(), Tiling(20, 32, "grid", ()))
    assert corners.max(axis=0).tolist() == [100 - 32, 130 - 32]  # the last tiles end with the page
    assert len({tuple(place) for place in corners.tolist()}) == 4 * 5


def test_parts_are_the_pages_own_pixels() -> None:
    one = page()
    patches, (view,) = split(torch.from_numpy(cut(one, CUTTING))[None], CUTTING)
    for patch, (row, column) in zip(patches[0].numpy(), places(one, CUTTING), strict=True):
        assert (patch == one[row : row + 32, column : column + 32]).all()
    assert view.shape == (1, 40, 40)
    assert (view[0, 31:] == 255).all()  # the page is wider than high: white below
    small = split(torch.from_numpy(cut(one[:20, :20], CUTTING))[None], CUTTING)[0][0]
    assert (small[0, 20:] == 255).all()
    several = cut_all([encode_png(one), encode_png(one[::-1].copy())], CUTTING)
    assert (several[0] == torch.from_numpy(cut(one, CUTTING))).all()


def test_mirrored_views_mirror_every_part() -> None:
    rows = torch.from_numpy(cut(page(), CUTTING))[None]
    patches, (view,) = split(rows, CUTTING)
    for number, dims in ((0, []), (1, [-1]), (2, [-2]), (3, [-1, -2])):
        other, (seen,) = split(mirrored(rows, CUTTING, number), CUTTING)
        assert (other == patches.flip(dims)).all()
        assert (seen == view.flip(dims)).all()


def test_embedding_is_mean_and_deviation_at_each_width_of_the_backbone() -> None:
    model = network()
    assert [model.blocks[tap].layers[0].out_channels for tap in model.taps] == [32, 64, 128]
    images = torch.randint(0, 256, (2, 32, 32), dtype=torch.uint8)
    maps = model.blocks[:2]((images[:, None].float().expand(-1, 3, -1, -1) - 128) / 64)
    expected = torch.cat([maps.mean(dim=(2, 3)), maps.std(dim=(2, 3), correction=0)], dim=1)
    found = model.embed_images(images)
    assert found.shape == (2, 2 * (32 + 64 + 128))
    assert torch.allclose(found[:, :64], expected, atol=1e-3)
    assert torch.allclose(summarised(maps), expected, atol=1e-3)


def test_blocks_behind_the_last_depth_are_left_out() -> None:
    model, whole = network(depths=2), network()
    assert model.taps == whole.taps[:2]
    assert len(model.blocks) == model.taps[-1] + 1 < len(whole.blocks)
    model.blocks.load_state_dict(whole.blocks[: len(model.blocks)].state_dict())
    images = torch.randint(0, 256, (2, 32, 32), dtype=torch.uint8)
    assert torch.equal(model.embed_images(images), whole.embed_images(images)[:, : 2 * (32 + 64)])


def test_forward_takes_bytes_or_what_embed_made_of_them() -> None:
    model = network()
    rows, measures = torch.from_numpy(np.stack([cut(page(), CUTTING)] * 2)), torch.randn(2, len(NAMES))
    direct, embedded = model(rows, measures), model(model.embed(rows), measures)
    for one, other in zip(direct, embedded, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    assert direct.classes.shape == (2, 5)
    assert direct.issues.shape == (2, 10)


def test_every_input_reaches_the_heads_and_the_order_of_patches_does_not_matter() -> None:
    model = network()
    embedded, measures = torch.randn(1, 4, 2 * (32 + 64 + 128)), torch.randn(1, len(NAMES))
    before = model.judge(embedded, measures).score
    for part in range(4):
        changed = embedded.clone()
        changed[:, part] += 1
        assert not torch.allclose(model.judge(changed, measures).score, before)
    assert not torch.allclose(model.judge(embedded, measures + 1).score, before)
    shuffled = embedded[:, [2, 0, 1, 3]]
    assert torch.allclose(model.judge(shuffled, measures).score, before, atol=1e-5)
    plain = network(attention=False)
    assert plain.attention is None
    assert plain.joint[0][1].in_features == model.joint[0][1].in_features - 16


def test_inputs_are_scaled_as_training_images_are_and_cut() -> None:
    model = network()
    values = torch.randn(500, len(NAMES)) * 3 + 7
    model.measure_scale.fit(values)
    scaled = model.measure_scale(values)
    assert scaled.mean(dim=0).abs().max() < 0.05
    assert torch.allclose(scaled.std(dim=0), torch.ones(len(NAMES)), atol=0.05)
    assert model.measure_scale(torch.full((1, len(NAMES)), 1e9)).max() == 6


def test_all_that_use_needs_is_saved(tmp_path: "object") -> None:
    model = network()
    model.measure_scale.fit(torch.randn(50, len(NAMES)))
    model.save_pretrained(str(tmp_path))
    again = Assessor.from_pretrained(str(tmp_path)).eval()
    assert again.tiling == model.tiling
    assert (again.preparation, again.decision, again.taps) == (model.preparation, model.decision, model.taps)
    rows, measures = torch.from_numpy(cut(page(), CUTTING))[None], torch.randn(1, len(NAMES))
    assert torch.equal(again(rows, measures).score, model(rows, measures).score)


def batch() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {
        "inputs": torch.randn(6, 4, 5),
        "measures": torch.randn(6, 3),
        "scores": torch.rand(6),
        "classes": torch.nn.functional.one_hot(torch.arange(6) % 5, 5).float(),
        "severities": torch.rand(6, 10),
        "flags": torch.full((6, 10), float("nan")),
        "ids": torch.arange(6),
    }


def mixing(mixup: float, cutmix: float) -> Mixing:
    return Mixing(Augment(mixup_alpha=mixup, cutmix_alpha=cutmix), CUTTING)


def test_mixup_mixes_inputs_and_all_labels_in_one_share() -> None:
    own = batch()
    mixed = mixing(0.4, 0.0)(own, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    rng.integers(1)
    share, partner = rng.beta(0.4, 0.4), rng.permutation(6)
    for name in ("inputs", "measures", "scores", "classes", "severities"):
        assert torch.allclose(mixed[name], share * own[name] + (1 - share) * own[name][partner], atol=1e-6), name
    assert (mixed["ids"] == own["ids"]).all()
    assert mixed["classes"].sum(dim=1).tolist() == pytest.approx([1] * 6)


def test_cutmix_replaces_patches_and_mixes_labels_by_their_number() -> None:
    own = batch()
    shares = set()
    for seed in range(12):
        mixed = mixing(0.0, 1.0)(own, np.random.default_rng(seed))
        kept = (mixed["inputs"][:, :3] == own["inputs"][:, :3]).all(dim=2)
        count = int(kept[0].sum())
        assert (kept.sum(dim=1) >= count).all()
        share = count / 3
        shares.add(count)
        partner = (mixed["scores"] - share * own["scores"]) / max(1 - share, 1e-9)
        if count < 3:
            assert all(any(abs(float(p) - float(s)) < 1e-4 for s in own["scores"]) for p in partner)
    assert len(shares) >= 3


def test_without_alphas_batches_stay_and_loaders_repeat_themselves() -> None:
    own = batch()
    assert mixing(0.0, 0.0)(own, np.random.default_rng(0)) is own
    targets = {name: values for name, values in own.items() if name != "inputs"}
    sampler = EpochSampler(6, BatchShare(3, 1, 1, 0))
    loader = MixedLoader(lambda rows: own["inputs"][rows], targets, sampler, mixing(0.4, 0.4))
    one, again, other = loader.batch(1, 0), loader.batch(1, 0), loader.batch(2, 0)
    assert torch.equal(one["inputs"], again["inputs"])
    assert not torch.equal(one["inputs"], other["inputs"])


def test_heat_lies_on_the_patches_and_where_damage_lowers_the_score() -> None:
    model = network()
    explained = explain(model, page())
    assert explained.page.shape == explained.heat.shape == (100, 130)
    assert explained.heat.max() in {0, 255}
    patches_alone = Tiling(CUTTING.patches, CUTTING.patch_size, CUTTING.choice, ())
    explained = explain(network(patches_alone), page())
    covered = np.zeros((100, 130), bool)
    for row, column in places(page(), CUTTING):
        covered[row : row + 32, column : column + 32] = True
    assert not explained.heat[~covered].any()
    wide = explain(model, page(200, 1500))
    assert max(wide.page.shape) == 700
