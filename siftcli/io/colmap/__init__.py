"""COLMAP's database and its text files."""
