"""Put an existing subtitle in step with a film."""
