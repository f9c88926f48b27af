"""minipg COMMAND …: one module a command, imported when it is asked for."""

import sys
from importlib import import_module

from minipg import __version__
from minipg.commands import process

COMMANDS = {
    "verify": "every equation of the lecture on a transition table; --bugs: the bug museum",
    "lecture": "the lecture as a page: equations beside code, proof and picture",
    "train": "a policy on a Gymnasium environment, into a run folder",
    "evaluate": "a trained policy on fresh episodes",
    "sweep": "many runs side by side, and their table",
    "plot": "learning curves of run folders",
    "audit": "which formula an estimator of yours computes, and its exact bias",
    "estimators": "bias and variance of every ψ_t on a table, exactly",
    "groups": "bias and variance of RLOO, GRPO and the like, exactly",
    "oracle": "exact J and ∇J of a million states",
}
EXAMPLES = """
  minipg verify FrozenLake-v1
  minipg train ppo CartPole-v1 --out first
  minipg evaluate first
  minipg plot first"""


def main(argv: list[str] | None = None) -> int:
    """The command's exit status; what it does to a process of our own: console."""
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] in COMMANDS:
        status: int = import_module(f"minipg.commands.{words[0]}").main(words[1:])
        return status
    from minipg.commands import cli

    lines = "\n".join(f"  {name:11} {text}" for name, text in COMMANDS.items())
    parser = cli.Parser("minipg", f"commands:\n{lines}", EXAMPLES, usage="minipg COMMAND …")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND",
                        help="one of the above; minipg COMMAND --help says more")  # fmt: skip
    parser.add_argument("--version", action="version", version=f"minipg {__version__}")
    parser.parse_args(words)
    return 0


def console() -> int:
    """The installed command, in a process of its own; little is imported before it begins."""
    process.begin()
    try:
        if sys.argv[1:2] and sys.argv[1] in COMMANDS:
            import_module(f"minipg.commands.{sys.argv[1]}")
            process.ready()
        return main()
    except KeyboardInterrupt:  # before the command has begun, which says more
        return 130
