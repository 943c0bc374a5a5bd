"""Citations that open: the place a citation names, what is around it, and the picture of its page."""

from kaynak.viewing.places import MARKED_MOST, Places, Shown

__all__ = ["MARKED_MOST", "Places", "Shown"]
