"""What was asked and what was served: attempts and their runs, WARC records, listings and looks."""
