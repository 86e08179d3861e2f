"""Run the command `reel` of an installed package, in a process that finds reel's own packages first.

These are in `reel/program`, which no other process has on its path, so that reel's `shared` and a package of that name
are never mistaken for each other. Standard library only.
"""

from __future__ import annotations

import os
import subprocess
import sys

from reel._program import command_line, variables


def main() -> int:
    """Replace this process by the command line, with the same arguments. On Windows, return its exit code."""
    command, environ = [*command_line(), *sys.argv[1:]], variables(os.environ)
    if os.name != "nt":
        os.execve(command[0], command, environ)
    try:  # Windows cannot replace a process
        return subprocess.call(command, env=environ)
    except KeyboardInterrupt:  # the command line has received it too, and has answered
        return 130


if __name__ == "__main__":
    sys.exit(main())
