"""Exploration: every order of events of a small world, without time and without chance."""
