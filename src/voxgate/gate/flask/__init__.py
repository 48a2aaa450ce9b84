"""The gate for Flask: the only folder that imports flask."""
