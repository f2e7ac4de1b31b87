"""Trained bundles that are fetched: where they are, and how they become folders here."""
