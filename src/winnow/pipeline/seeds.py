"""Every stage draws from its own stream, derived from the one seed and its name."""

import hashlib


def derive_seed(seed: int, *names: str) -> int:
    """A 63-bit seed that depends on `seed` and on every name, and on nothing else."""
    digest = hashlib.sha256("/".join([str(seed), *names]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
