"""A library's catalogue, as a third party would add it: a reader, a retriever and two commands."""
