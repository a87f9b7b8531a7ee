"""A cluster of an Azure environment, what stands around it, and the rules over both."""
