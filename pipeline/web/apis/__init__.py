"""The interfaces of the server: reel's own, and those that other programs speak already."""
