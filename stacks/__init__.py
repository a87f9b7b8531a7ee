"""What each kind of environment is made of: composition only."""
