"""Endpoints and their versions: what the user says, what is refused, how traffic is split."""
