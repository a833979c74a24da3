"""What a flower is."""

SPECIES = ("daisy", "tulip")
MEASURES = ["length", "width"]

VALIDATION_METRICS = ("loss",)
"""What train measures after each epoch."""

GATE_METRICS = ("accuracy",)
"""What evaluate measures of the model."""
