"""How fast the engine and the command are, beside other programs: ``python -m tests.benchmarks``."""
