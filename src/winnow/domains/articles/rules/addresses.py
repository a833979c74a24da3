"""Addresses of model servers."""

from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether a server is on this machine."""
    return urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}
