"""What the plugin asks Kubernetes API servers: whether a version's pods are ready, and why not."""
