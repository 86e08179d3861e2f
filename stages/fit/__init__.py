"""Tell whether an existing subtitle fits a film."""
