"""Is this installation sound: what is there, whether results are right, and how long they take."""
