"""Checks of the installation: packages, correctness and speed."""
