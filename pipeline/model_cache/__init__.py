"""The one model cache: what belongs in it, where that lies, how it gets there, and whether it is whole."""
