"""Waits for the user."""

input("your key? ")
