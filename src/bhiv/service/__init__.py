"""The service: BHIV over HTTP, for other programs. One process to a catalog in SQLite, any number on PostgreSQL."""
