"""What images of versions are made from."""
