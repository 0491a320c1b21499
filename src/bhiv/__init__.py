"""BHIV turns a script into a narrated, illustrated, captioned video."""
