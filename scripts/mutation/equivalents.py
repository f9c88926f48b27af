"""Faults of mutate.py that change no value anybody can see, each with its reason."""

EQUIVALENT: dict[str, str] = {}
