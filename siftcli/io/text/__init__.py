"""Text files: lists line by line (`lines`); tables of numbers block by block (`reader`, `values`, `writer`)."""
