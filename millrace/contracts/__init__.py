"""Contracts: the validated form of sources/, models/ and expectations/; nothing downstream takes a dict."""
