"""Tests against a whole stack of real services: Kafka, Spark, Delta, ClickHouse, PostgreSQL and Airflow."""
