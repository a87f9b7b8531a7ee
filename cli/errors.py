"""What the command says instead of a traceback."""


class CliError(Exception):
    """Something that a user can act on; the text is all that is shown."""
