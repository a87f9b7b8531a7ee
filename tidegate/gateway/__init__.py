"""The gateway in a cluster: Envoy Gateway, its proxies, and the listeners that endpoints' routes attach to."""
