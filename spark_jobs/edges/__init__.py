"""Where Spark jobs touch the outside: sessions, readers, writers."""
