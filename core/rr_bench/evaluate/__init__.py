"""Metrics, their uncertainty, and the bench that compares rerankers."""
