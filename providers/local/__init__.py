"""The local target: environments, models, scoring processes, gateway and routes on one machine."""
