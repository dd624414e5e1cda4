"""Trainings, and the checkpoints that they leave."""
