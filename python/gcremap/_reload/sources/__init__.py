"""What a version of a module's source says: statements, definitions, code."""
