"""FlagEmbedding's rerankers as a scorer."""
