"""Generators of the documentation's generated files: ``python -m docs.tools.generate``."""
