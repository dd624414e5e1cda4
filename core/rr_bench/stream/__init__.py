"""Reranking of files of any size: read and written piece by piece, resumable."""
