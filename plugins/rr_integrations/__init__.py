"""Rerankers of the registry as parts of frameworks' pipelines: a module a framework, imported by its name."""
