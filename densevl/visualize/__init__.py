"""Results out: colours, overlays, files of every kind, and the report of a run."""

from densevl.visualize.coco import coco_document
from densevl.visualize.confusion import draw_confusion
from densevl.visualize.overlay import draw_overlay
from densevl.visualize.palette import palette
from densevl.visualize.report import ReportRow, write_report
from densevl.visualize.writers import WRITERS, save_segmentation

__all__ = [
    "WRITERS",
    "ReportRow",
    "coco_document",
    "draw_confusion",
    "draw_overlay",
    "palette",
    "save_segmentation",
    "write_report",
]
