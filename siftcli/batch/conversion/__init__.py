"""From one feature format to another: `sources` and `plan` decide what is read and written, `convert` does it."""
