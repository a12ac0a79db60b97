"""Runs contenders against a server of known behaviour, and writes down what they took."""
