"""What to do (recipe), in which order (run), what is already done (store), with how many workers (pool)."""
