"""What tests/bench/commit is made of."""
