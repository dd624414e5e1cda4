"""`rr new`: a distribution for an author to begin with, written from the template beside this file."""
