"""What tests/bench/failover is made of."""
