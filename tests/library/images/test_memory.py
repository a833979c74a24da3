"""How many pixels are decoded at once."""

import threading
import time

import pytest

from winnow.images import memory
from winnow.images.parallel import map_images


class Decoder:
    """Claims so many pixels and holds them for a while; the most at a time are counted here."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, pixels: int) -> int:
        memory.claim(pixels)
        with self.lock:
            self.now += pixels
            self.most = max(self.most, self.now)
        time.sleep(0.01)
        with self.lock:
            self.now -= pixels
        return pixels


SIZES = [memory.AT_ONCE // 2, memory.AT_ONCE // 2, memory.AT_ONCE // 4, 10] * 3


def test_no_more_pixels_are_decoded_at_once_than_fit() -> None:
    """By threads that each stand for a core."""
    decode = Decoder()
    found: list[int] = []
    threads = [threading.Thread(target=lambda size=size: found.append(memory.shared(decode, size))) for size in SIZES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(found) == sorted(SIZES), "every image gets its turn"
    assert memory.AT_ONCE // 2 < decode.most <= memory.AT_ONCE


def test_images_that_are_decoded_in_parallel_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("winnow.pipeline.parallel.cores", lambda: 8)
    decode = Decoder()
    assert list(map_images(decode, SIZES)) == SIZES
    assert memory.AT_ONCE // 2 < decode.most <= memory.AT_ONCE


def test_the_next_image_of_a_thread_takes_the_place_of_its_last_one() -> None:
    """Such as a collection's photographs one after another; it would wait for itself otherwise."""
    decoded: list[int] = []

    def several(sizes: list[int]) -> None:
        for pixels in sizes:
            memory.claim(pixels)
            decoded.append(pixels)

    sizes = [memory.AT_ONCE, memory.AT_ONCE // 2, memory.AT_ONCE]
    thread = threading.Thread(target=memory.shared, args=(several, sizes), daemon=True)
    thread.start()
    thread.join(10)
    assert decoded == sizes


def test_an_image_that_fails_gives_its_place_back() -> None:
    def failing(pixels: int) -> None:
        memory.claim(pixels)
        raise ValueError("odd")

    for _ in range(4):
        with pytest.raises(ValueError, match="odd"):
            memory.shared(failing, memory.AT_ONCE)
    assert list(map_images(memory.claim, [memory.AT_ONCE] * 3)) == [None] * 3


def test_a_thread_of_its_own_does_not_wait() -> None:
    memory.shared(lambda _: memory.claim(3 * memory.AT_ONCE // 4), None)
    memory.claim(10 * memory.AT_ONCE)
