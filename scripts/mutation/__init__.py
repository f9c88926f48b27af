"""What mutate.py plants, and what of it is no fault."""
