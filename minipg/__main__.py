"""python -m minipg: the command."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the current folder, which -m puts before Python's own modules
    from minipg.commands.main import console

    sys.exit(console())
