-- Beside `millrace`, which the image makes itself: Airflow's metadata, and the schema registry's rows.
CREATE DATABASE airflow OWNER millrace;
CREATE DATABASE registry OWNER millrace;
