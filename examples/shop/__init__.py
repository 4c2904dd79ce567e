"""A shop on a socket: what examples/live_server.py edits while it serves."""
