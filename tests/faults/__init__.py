"""Faults of real services under steady load, and a reconciler that counts afterwards what arrived, and how often."""
