"""The service over HTTP: blueprints without logic."""
