"""What a user writes where the target is Azure."""

from tidegate.cluster.input import AzureInput
from tidegate.stack_input import StackInput


class AzureStackInput(AzureInput, StackInput):
    """The keys that every target knows, and those of Azure."""
