"""Durable execution behind the Steps port."""
