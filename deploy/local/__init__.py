"""The local stack: the real services on one machine, under a process supervisor."""
