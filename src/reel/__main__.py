"""The command `reel` of an installed package: runs the command line in a process that finds reel's own packages first.

They lie in `reel/program`, which no other process has on its path: so neither reel's `shared` nor that of another
package is taken for the other. Standard library only.
"""

from __future__ import annotations

import os
import subprocess
import sys

from reel._program import command_line, variables


def main() -> int:
    """Go on as the command line, with the same words; returns its exit code on Windows, and nowhere else."""
    command, environ = [*command_line(), *sys.argv[1:]], variables(os.environ)
    if os.name != "nt":
        os.execve(command[0], command, environ)
    try:  # a process cannot become another one there
        return subprocess.call(command, env=environ)
    except KeyboardInterrupt:  # the command line was told as well, and has answered
        return 130


if __name__ == "__main__":
    sys.exit(main())
