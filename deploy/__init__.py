"""How Millrace is put somewhere: the stack of one machine, container images, and what Airflow loads at its start."""
