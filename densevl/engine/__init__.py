"""Runs: device and precision, the journal of a run, and the overlapped pipeline. Importing it loads no torch."""

from densevl.engine.journal import Journal, Record
from densevl.engine.pipeline import Failure, Pipeline, RunCount, fixed_groups

__all__ = ["Failure", "Journal", "Pipeline", "Record", "RunCount", "fixed_groups"]
