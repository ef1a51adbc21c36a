"""What may be done with quarantined records: requests, plans, reports, and the index that lists them."""
