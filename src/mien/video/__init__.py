"""Pictures and results out: overlay and tables."""
