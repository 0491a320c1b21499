"""Prefect tasks: one step of a video each, a few lines around one call into the library."""
