"""The parts of tests/bench/packet."""
