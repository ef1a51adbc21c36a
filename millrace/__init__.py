"""Millrace: a batch-plus-stream lakehouse platform. This package is its core; it imports neither Airflow nor Spark."""
