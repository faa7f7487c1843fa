"""Versioned words for the fixer."""
