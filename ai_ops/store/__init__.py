"""The database: tables, migrations and repositories."""
