"""What operators ask of all services at once."""
