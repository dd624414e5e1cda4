"""What this project ran once, and can run again; no part of the distribution."""
