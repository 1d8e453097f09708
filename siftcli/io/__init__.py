"""Images and feature files: reading, writing, and nothing else."""
