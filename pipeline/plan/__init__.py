"""Pure: from declarations to a plan, and from a plan to the keys of its results."""
