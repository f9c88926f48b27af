"""What benchmark.py measures: sections, each a function with its sizes as arguments."""
