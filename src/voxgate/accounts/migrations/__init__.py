"""Every change of the SQL schema, in order, run by Alembic."""
