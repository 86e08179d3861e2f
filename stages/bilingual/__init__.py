"""Show two languages in one subtitle."""
