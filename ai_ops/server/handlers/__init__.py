"""The handlers, one file per noun; each ends in its ``ROUTES``."""
