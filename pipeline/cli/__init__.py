"""The command line: parse, run one command, print its result."""
