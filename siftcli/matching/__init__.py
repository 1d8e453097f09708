"""Matching: nearest neighbours, geometric verification, and the images that look alike."""
