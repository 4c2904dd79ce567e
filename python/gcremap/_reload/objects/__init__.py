"""What living objects are, and their parts."""
