"""Property tests: few examples, the same ones every time, and no clock."""

from hypothesis import settings

settings.register_profile("library", max_examples=25, deadline=None, derandomize=True)
settings.load_profile("library")
