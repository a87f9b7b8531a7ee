"""Models and code in a store that pods fetch them from."""
