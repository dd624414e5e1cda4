"""A result as one page that needs nothing else: no script to be read, no other file."""
