"""Rerankers made of others: fusions of several rankings, and cascades."""
