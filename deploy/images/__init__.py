"""Container images, and the entry point of the containers that run our code."""
