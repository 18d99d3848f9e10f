"""What is kept: the state directory, the database, bundles, keys, locks and traffic records. It decides nothing."""
