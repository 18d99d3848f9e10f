"""The policy document, its differences and the bundle made of it. Features are handed in; none is known here."""
