"""Any CrossEncoder and any SentenceTransformer of sentence-transformers, as a scorer."""
