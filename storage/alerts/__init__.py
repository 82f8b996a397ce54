"""What is amiss, one alert a cause, and how people and other programs hear of it."""
