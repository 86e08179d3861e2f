"""Put an existing subtitle in step with what is heard."""
