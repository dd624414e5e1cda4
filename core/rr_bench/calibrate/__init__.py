"""From scores to probabilities that mean what they say, and to the answer that there is no answer."""
