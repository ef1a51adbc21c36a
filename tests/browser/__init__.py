"""Tests in a real Chromium against the whole stack: what an operator sees and clicks."""
