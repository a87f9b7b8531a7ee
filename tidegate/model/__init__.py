"""Registered models: what the user says, what is refused, and their content."""
