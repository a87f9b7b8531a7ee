"""An endpoint as each target runs it, as plain dictionaries."""
