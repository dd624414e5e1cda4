"""Qwen3-Reranker: a causal language model that says whether a document meets a query, yes or no."""
