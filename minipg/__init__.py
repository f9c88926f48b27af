"""minipg: policy-gradient mathematics in NumPy, proven against exact truth."""
