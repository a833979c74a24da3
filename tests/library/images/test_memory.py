"""How many pixels are decoded at once."""

import threading
import time

import pytest

from winnow.images import memory
from winnow.images.parallel import map_images


def test_no_more_pixels_are_decoded_at_once_than_fit() -> None:
    """The sum is taken here, by threads that each stand for a core."""
    now = most = 0
    lock = threading.Lock()

    def decode(pixels: int) -> int:
        nonlocal now, most
        memory.claim(pixels)
        with lock:
            now += pixels
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= pixels
        return pixels

    sizes = [memory.AT_ONCE // 2, memory.AT_ONCE // 2, memory.AT_ONCE // 4, 10] * 3
    found: list[int] = []
    threads = [threading.Thread(target=lambda size=size: found.append(memory.shared(decode, size))) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(found) == sorted(sizes), "every image gets its turn"
    assert memory.AT_ONCE // 2 < most <= memory.AT_ONCE


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
