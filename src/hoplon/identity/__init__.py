"""Session identifiers: which header or cookie says whose request it is."""
