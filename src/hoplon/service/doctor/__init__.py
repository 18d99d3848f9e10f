"""What is wrong with this set-up, in sentences: `look` gathers one snapshot, `checks` judge it."""
