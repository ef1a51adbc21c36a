"""Validates a project folder: one module per kind of rule, `project.check` for all of them."""
