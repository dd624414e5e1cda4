"""The checks, a module for what they look at; `rr_bench.testing.asked` has their order."""
