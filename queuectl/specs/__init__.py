"""Spec files: found, read, checked with places for every error, and made into JobSpecs."""
