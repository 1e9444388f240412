"""What is made from the source and kept in the repository."""
