"""Many images: which files are read and written, the work on each, and the account of it."""
