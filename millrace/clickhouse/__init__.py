"""ClickHouse: the client, and the tables that follow from contracts and models."""
