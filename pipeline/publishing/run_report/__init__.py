"""Reports a run after its end, from its history and from what it published: figures, a chart, a page."""
