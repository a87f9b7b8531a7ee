"""The scoring server: runs v1-style scripts behind HTTP; knows nothing of the rest of Tidegate."""

__version__ = "0.1.0"
