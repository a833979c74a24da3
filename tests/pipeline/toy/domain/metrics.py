"""The names of what train and evaluate measure, by which `check` knows a gate or early stopping that names another.

No program imports this module: a new name re-runs nothing.
"""

VALIDATION_METRICS = ("loss",)
"""What train measures after each epoch."""

GATE_METRICS = ("accuracy",)
"""What evaluate measures of the model."""
