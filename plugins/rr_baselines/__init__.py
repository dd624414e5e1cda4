"""What every reranker is compared with: the first stage's order, chance, BM25, and a plain bi-encoder."""
