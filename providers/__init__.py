"""The `tidegate-serving` provider plugin."""
