"""What was read in the captures: cells, findings, corrections, and which of it stands."""
