"""What can go wrong between here and Azure. Every text can be shown to a user; none holds a token."""


class AzureError(Exception):
    """Base of what can go wrong."""


class LoginError(AzureError):
    """There is no login, or it was refused."""


class UnreachableError(AzureError):
    """Azure gave no answer: the network, or it stayed too busy for as long as is waited."""


class InterruptedCallError(AzureError):
    """The user has interrupted what waited for Azure."""


class ArmError(AzureError):
    """Azure Resource Manager answered, and refused."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Take the HTTP status, and Azure's own code and message."""
        self.status, self.code, self.message = status, code, message
        super().__init__(
            f"Azure answered {status} {code}: {message}" if code else f"Azure answered {status}: {message}"
        )
