"""The core: specs, rules and plans as plain values; imports no Pulumi."""
