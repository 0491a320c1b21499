"""Prefect flows: the verbs of the product; control flow only."""
