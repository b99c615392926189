"""Sockets in user space for unmodified programs."""
