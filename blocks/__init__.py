"""Prefect blocks: what an operator sets in the UI; each builds one plain library object."""
