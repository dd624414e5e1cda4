"""What benches leave behind: a record of each run, found again, compared, exported and run again."""
