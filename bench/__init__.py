"""Every performance figure that Millrace claims, measured beside its rival in one run."""
