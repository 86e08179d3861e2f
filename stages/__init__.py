"""The stages, a folder each: `stage.py` is the contract, its siblings are the backends; `toolkit` is what several
use."""
