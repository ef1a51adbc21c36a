"""Millrace in Airflow: DAG builders, operators, triggers, the timetable and the page in the UI."""
