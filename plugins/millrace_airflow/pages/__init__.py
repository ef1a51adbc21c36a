"""The page Millrace in the Airflow UI: how streams, gates, ledger and quarantine stand, and wishes for streams."""
