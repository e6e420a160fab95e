"""scripts/package: Debian packages, with manuals and completion made of the tables."""
