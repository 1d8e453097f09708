"""What makes the generated files of the documentation: ``python -m docs.tools.generate``."""
