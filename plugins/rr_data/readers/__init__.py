"""Readers of data sets as they are published, a format a module."""
