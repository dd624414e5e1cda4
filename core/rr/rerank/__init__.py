"""Generic rerankers: each turns a Scorer into a Reranker."""
