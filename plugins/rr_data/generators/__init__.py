"""The embedded data sets: readers that write their own data, seeded."""
