"""docs/atlas.md: the rows as tables, what they show, and apart from that our reading of why."""

import argparse
from pathlib import Path
from typing import Any

RAW = argparse.RawDescriptionHelpFormatter


def write(path: Path, results: dict[str, Any]) -> None:
    """The page of these results, by library."""
