"""Cross-encoder with one logit, trained with binary cross-entropy (the ViRanker recipe)."""
