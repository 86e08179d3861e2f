"""Put subtitles into the film."""
