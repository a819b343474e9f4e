"""Strings only: class lists, their lint, and prompt templates."""

from densevl.vocab.classes import ClassList, list_names, parse_classes, read_classes
from densevl.vocab.grammar import Finding, Reading
from densevl.vocab.lint import lint_classes
from densevl.vocab.rivals import rival_words, with_rivals
from densevl.vocab.templates import load_templates, template_names

__all__ = [
    "ClassList",
    "Finding",
    "Reading",
    "lint_classes",
    "list_names",
    "load_templates",
    "parse_classes",
    "read_classes",
    "rival_words",
    "template_names",
    "with_rivals",
]
