"""Builders: from the catalog to DAG objects; nothing here runs while a task runs."""
