"""python -m minipg: the command."""

import sys

from minipg.commands.main import main

sys.exit(main())
