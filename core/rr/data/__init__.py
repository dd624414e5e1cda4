"""Data sets: readers, splits, candidates, negatives."""
