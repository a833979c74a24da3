"""The splits."""

SPLITS = ("train", "val", "test")
