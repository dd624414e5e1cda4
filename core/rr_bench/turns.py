"""Whose turn it is, where several threads of a process ask rerankers."""

import threading

WITH_WEIGHTS = threading.RLock()
"""Held while a model with weights scores, and while one of half precision is loaded: what libraries of tensors keep for
the whole process (the default type, above all) is then of one model at a time."""
