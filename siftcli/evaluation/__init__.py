"""Evaluation of features: sequences with ground truth, the measures of the literature, and reports of them."""
