"""The control plane: leases, desired state, offsets and the ledger, in PostgreSQL's schema `ops`."""
