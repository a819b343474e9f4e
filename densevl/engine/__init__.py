"""Runs: device and precision, the journal of a run, and the overlapped pipeline. Importing it loads no torch."""

from densevl.engine.journal import Journal, Record
from densevl.engine.pipeline import Failure, Pipeline, RunCount, fixed_groups
from densevl.engine.shards import Journals, Part, PartJournal, read_shard

__all__ = [
    "Failure",
    "Journal",
    "Journals",
    "Part",
    "PartJournal",
    "Pipeline",
    "Record",
    "RunCount",
    "fixed_groups",
    "read_shard",
]
