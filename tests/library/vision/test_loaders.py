"""Views, augmentation and loaders of images."""

import numpy as np
import pytest
import torch

from winnow.images.codec import encode_png
from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.vision.augmentation import vary
from winnow.vision.loaders import EncodedImages, KeptFeatures, PlainLoader, VariedLoader
from winnow.vision.views import VIEWS, view


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_images_are_the_same_decoded_at_once_or_with_each_batch(images: torch.Tensor) -> None:
    pngs = [encode_png(each.permute(1, 2, 0).numpy()) for each in images]
    size = images[0].numel()
    kept, not_kept = EncodedImages(pngs, size * len(pngs)), EncodedImages(pngs, size * len(pngs) - 1)
    rows = torch.tensor([4, 0, 4])
    assert torch.equal(kept.read(rows), images[rows])
    assert torch.equal(not_kept.read(rows), images[rows])
    pngs[4] = pngs[1]  # only what is not kept is read again
    assert torch.equal(kept.read(rows), images[rows])
    assert torch.equal(not_kept.read(rows), images[[1, 0, 1]])


def test_eight_views_are_eight_and_variation_is_the_same_for_the_same_seed(images: torch.Tensor) -> None:
    views = [view(images[0], number) for number in range(VIEWS)]
    assert all(not torch.equal(a, b) for i, a in enumerate(views) for b in views[:i])
    one, again, other = (
        vary(images, np.random.default_rng(seed), flips=True, rotation=20.0, colour=0.2) for seed in (4, 4, 5)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert one.min() >= 0
    assert one.max() <= 255
    still = vary(images, np.random.default_rng(0), flips=False, rotation=0.0, colour=0.0)
    assert torch.equal(still, images.float())


def test_colour_alone_scales_around_the_mean_and_rotation_alone_keeps_the_middle(images: torch.Tensor) -> None:
    grey = torch.full((4, 3, 16, 16), 100, dtype=torch.uint8)
    lit = vary(grey, np.random.default_rng(0), flips=False, rotation=0.0, colour=0.2)
    factors = lit[:, 0, 0, 0] / 100  # contrast changes nothing where all pixels are equal
    assert (lit == lit[:, :1, :1, :1]).all()
    assert 0.8 <= factors.min() < factors.max() <= 1.2
    turned = vary(grey, np.random.default_rng(0), flips=False, rotation=45.0, colour=0.0)
    assert turned[:, :, 4:12, 4:12].numpy() == pytest.approx(100, abs=1e-3)
    assert turned[:, :, 0, 0].max() < 100
    assert len({tuple(each.flatten().tolist()) for each in turned}) == 4  # each by an angle of its own


def test_every_batch_of_an_epoch_is_the_same_whenever_it_is_made() -> None:
    sampler = EpochSampler(20, BatchShare(4, 1, 1, 0))
    draw = lambda rows, rng: rows.float()[:, None] + torch.from_numpy(rng.random((len(rows), 1)))  # noqa: E731
    loader = VariedLoader(draw, {"ids": torch.arange(20)}, sampler)
    whole = [loader.batch(7, index) for index in range(5)]
    assert sorted(torch.cat([batch["ids"] for batch in whole]).tolist()) == list(range(20))
    for index in (3, 0, 4):
        again = loader.batch(7, index)
        assert torch.equal(again["inputs"], whole[index]["inputs"])
        assert torch.equal(again["ids"], again["inputs"][:, 0].long())
    assert not torch.equal(whole[0]["ids"], loader.batch(8, 0)["ids"])
    assert not torch.equal(whole[0]["inputs"] % 1, whole[1]["inputs"] % 1)


def test_the_plain_loader_gives_every_row_once_in_order() -> None:
    kept = torch.arange(5 * VIEWS, dtype=torch.float16).reshape(5, VIEWS, 1, 1, 1)
    features = KeptFeatures(kept, torch.tensor([4, 0, 2]))
    loader = PlainLoader(features, {"grades": torch.tensor([1, 2, 3])}, batch_size=2)
    batches = list(loader)
    assert len(batches) == len(loader) == 2
    assert torch.cat([batch["inputs"] for batch in batches]).flatten().tolist() == [32.0, 0.0, 16.0]
    assert torch.cat([batch["grades"] for batch in batches]).tolist() == [1, 2, 3]
    assert features.read(torch.tensor([0, 1]), torch.tensor([7, 3])).flatten().tolist() == [39.0, 3.0]


def test_images_are_turned_to_both_sides_alike() -> None:
    images = torch.zeros(64, 3, 33, 33, dtype=torch.uint8)
    images[:, :, 2:6, 16] = 255  # at the top, in the middle
    turned = vary(images, np.random.default_rng(0), flips=False, rotation=30, colour=0)
    weight = turned.mean(dim=(1, 2))
    sideways = (weight * torch.arange(-16, 17)).sum(dim=1) / weight.sum(dim=1)
    assert 20 < int((sideways < 0).sum()) < 44
    farthest = 14 * np.sin(np.deg2rad(30))  # of what is 10.5 to 14 pixels from the middle
    assert farthest / 2 < sideways.max() < farthest
    assert farthest / 2 < -sideways.min() < farthest
