"""What the plugin does on Azure beyond azure-native: guarding clusters, and attaching those that exist."""
