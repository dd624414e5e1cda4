"""Remote rerank APIs: Cohere v1 and v2, Jina, Voyage, and text-embeddings-inference."""
