"""Pictures from elsewhere: libraries of photographs, models that make pictures, and the user's own."""

from bhiv.photos.collection import Collection
from bhiv.photos.credits import Credit, Credits, card_lines, credit_lines, credits_of
from bhiv.photos.procuring import Found, Procured, find_photos, procure
from bhiv.photos.wishes import Wish, wish_pictures

__all__ = [
    "Collection",
    "Credit",
    "Credits",
    "Found",
    "Procured",
    "Wish",
    "card_lines",
    "credit_lines",
    "credits_of",
    "find_photos",
    "procure",
    "wish_pictures",
]
