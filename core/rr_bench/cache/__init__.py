"""What is kept under `$RR_HOME`: looked at, and taken away."""
