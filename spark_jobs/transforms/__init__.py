"""Pure functions from data frame to data frame."""
