"""The libraries that do the stages' work: the only modules that import what only a stage environment has."""
