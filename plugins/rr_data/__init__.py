"""Readers and generators of data sets, and the weights of hard negatives."""
