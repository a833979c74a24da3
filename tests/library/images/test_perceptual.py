"""Near-duplicate pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnow.images import perceptual
from winnow.images.perceptual import near_any, near_groups, perceptual_hash

HEX = st.text("0123456789abcdef", min_size=64, max_size=64)


def picture(seed: int, side: int = 96) -> np.ndarray:
    """Soft blobs: something a camera might see."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    return sum(
        rng.normal() * np.exp(-((x - rng.random()) ** 2 + (y - rng.random()) ** 2) / rng.uniform(0.005, 0.05))
        for _ in range(25)
    )


def distance(first: str, second: str) -> int:
    return (int(first, 16) ^ int(second, 16)).bit_count()


@pytest.mark.parametrize("seed", range(5))
def test_another_size_light_and_noise_change_few_bits_and_another_picture_many(seed: int) -> None:
    one = picture(seed)
    again = 40 + 1.7 * picture(seed, side=70) + np.random.default_rng(seed).normal(0, 0.01, (70, 70))
    assert distance(perceptual_hash(one), perceptual_hash(again)) <= 28
    assert distance(perceptual_hash(one), perceptual_hash(picture(seed + 100))) >= 60


@given(st.lists(HEX, min_size=1, max_size=12), st.integers(0, 130))
def test_no_near_pair_is_parted_and_groups_are_named_after_their_first(hashes: list[str], limit: int) -> None:
    groups = near_groups(hashes, limit)
    for i, one in enumerate(hashes):
        assert groups[groups[i]] == groups[i] <= i
        for j, other in enumerate(hashes):
            if distance(one, other) <= limit:
                assert groups[i] == groups[j]


@given(st.lists(HEX, max_size=6), st.lists(HEX, max_size=6), st.integers(0, 130))
def test_near_any_is_whether_one_of_the_known_is_near(hashes: list[str], known: list[str], limit: int) -> None:
    expected = [any(distance(one, other) <= limit for other in known) for one in hashes]
    assert near_any([*hashes, *known[:1]], known, limit).tolist() == [*expected, *[True] * len(known[:1])]


def test_hashes_are_compared_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = ["0" * 64, "f" * 64, "3" * 64, "5" * 64, "0" * 64]
    monkeypatch.setattr(perceptual, "BLOCK", 2)
    assert near_groups(hashes, 4).tolist() == [0, 1, 2, 3, 0]


@pytest.mark.parametrize("pairs", [1, 50, 10**6])
@pytest.mark.parametrize("most", [0, 1, 4, 28, 47])
def test_many_hashes_are_joined_as_few_are(most: int, pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies that differ by about `most` bits anywhere, in a part or all over; unequal ones with half of their bits."""
    rng = np.random.default_rng(most)
    bits = np.repeat(rng.integers(0, 2, (60, 256), dtype=np.uint8), 3, axis=0)
    bits[90:] = bits[0]  # a crowd of one kind, of which many have a part in common
    for row in bits[1::3]:
        row[rng.permutation(256)[: most + int(rng.integers(-1, 2))]] ^= 1
    for row in bits[2::3]:
        row[: max(most + int(rng.integers(-1, 2)), 0)] ^= 1
    hashes = [np.packbits(row).tobytes().hex() for row in rng.permutation(bits)]
    expected = near_groups(hashes, most)
    monkeypatch.setattr(perceptual, "FEW", 0)
    monkeypatch.setattr(perceptual, "PAIRS", pairs)
    whole = perceptual._pairs_of_all
    monkeypatch.setattr(perceptual, "_pairs_of_all", None)
    monkeypatch.setattr(perceptual, "DEARER", 1e-9)
    assert near_groups(hashes, most).tolist() == expected.tolist()
    monkeypatch.setattr(perceptual, "DEARER", 1e9)
    monkeypatch.setattr(perceptual, "_pairs_of_all", whole)
    assert near_groups(hashes, most).tolist() == expected.tolist()
    assert 1 < len(set(expected)) < len(hashes)


def test_far_hashes_stay_apart_and_joining_is_transitive() -> None:
    hashes = ["0" * 64, "f" * 64, "0" * 62 + "0f", "0" * 60 + "00ff"]
    assert near_groups(hashes, 4).tolist() == [0, 1, 0, 0]
    assert near_groups(hashes, 3).tolist() == [0, 1, 2, 3]
    assert near_groups([], 4).tolist() == []
