"""The policy pack: what a preview is checked for, whatever program made it."""
