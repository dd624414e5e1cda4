"""The checks, a module for what they look at; `rr_testing.asked` has their order."""
