"""Measurements of the product at the size it is meant for; each is a script that prints what it found."""
