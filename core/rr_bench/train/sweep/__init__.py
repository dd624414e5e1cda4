"""Trainings of one entry with several settings, of which the one that is best on dev is named."""
