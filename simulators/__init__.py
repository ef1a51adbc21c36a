"""Seeded, rate-controlled generators of what the sources send, one module per source, and the faults of real life."""
