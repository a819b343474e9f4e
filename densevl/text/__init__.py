"""Text: words -> vectors."""

from densevl.text.encode import encode_classes

__all__ = ["encode_classes"]
