"""Judging runs that are files, whoever wrote them."""
