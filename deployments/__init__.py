"""What starts runs, where prefect.yaml can not say it."""
