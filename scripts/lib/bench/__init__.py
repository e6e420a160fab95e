"""scripts/bench. `__main__` chooses the measurement; matrix, growth, stalls, disk and profiling are
one each; the rest is what they share."""
