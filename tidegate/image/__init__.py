"""What a version runs in: its Python packages, its source and the keys that name them by content."""
