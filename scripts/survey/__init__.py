"""What scripts/atlas.py is made of: the exchange with another environment, windows, language."""
