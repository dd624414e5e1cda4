"""First stages: what finds the candidates that rerankers are given."""
