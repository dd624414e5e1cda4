"""Data of one's own: which reader reads them, and the registry that names them."""
