"""The command line: one file for each command, and what they share."""

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 plus the number of the signal, as shells have it."""
