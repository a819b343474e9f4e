"""Contracts: errors, structures, stages, config. Imports nothing of the other rooms."""
