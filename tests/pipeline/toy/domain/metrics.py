"""The names of the metrics of train and evaluate; `check` rejects a gate or early stopping that names another one.

No program imports this module: a new name re-runs nothing.
"""

VALIDATION_METRICS = ("loss",)
"""What train measures after each epoch."""

GATE_METRICS = ("accuracy",)
"""What evaluate measures of the model."""
