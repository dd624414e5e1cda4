"""From the sources of a data set to what every reranker is compared on, and the store of it."""
