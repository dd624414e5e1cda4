"""Raises what ends generators."""

raise GeneratorExit
