"""Films that stay where they are: what lies beside them and inside them, and where reel's own files go."""
