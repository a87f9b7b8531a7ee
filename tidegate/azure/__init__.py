"""Azure itself: the login that is there, and what Azure Resource Manager answers."""
