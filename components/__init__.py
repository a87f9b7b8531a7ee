"""Pulumi ComponentResources: take plain plans and register resources, no decisions."""
