"""Figures of each quarter of an hour, kept in PostgreSQL for dashboards."""
