"""Operators: what an Airflow task does; heavy imports happen inside execute()."""
