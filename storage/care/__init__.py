"""What may leave the archive: numbers of persons covered, withdrawals, the mark left on hosts."""
