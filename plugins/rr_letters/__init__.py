"""Letter verbalizer: a causal language model answers a multiple-choice prompt with one letter (LlamaRec style)."""
