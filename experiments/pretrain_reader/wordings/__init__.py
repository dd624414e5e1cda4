"""What the pretraining's worlds are told in: none of it stands in the benched ones, as a test holds."""
