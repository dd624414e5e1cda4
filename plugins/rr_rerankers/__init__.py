"""Any local model of the rerankers library as a scorer."""
