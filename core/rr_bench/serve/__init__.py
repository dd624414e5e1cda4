"""`rr serve`: rerankers behind the rerank APIs that clients speak already. Needs the extra `serve`."""
