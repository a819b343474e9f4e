"""The command line: one file a verb, collected by app.py."""
