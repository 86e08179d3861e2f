"""The JSON documents that stages exchange: frozen and versioned."""
