"""`rr doctor`: why is my reranker not learning? Checks over what was recorded, their verdicts, and what to do next."""
