"""What every organ owes for every year, and what is proven of it."""
