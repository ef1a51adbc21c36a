"""What the figures are measured against: the same work, done the plain way, with nothing held back."""
