"""Texts and codes in, a category out: knowledge as data, and the rule that decided."""
