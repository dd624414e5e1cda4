"""What several model plugins need, on torch. Imported by plugins only, and only when a model is loaded."""
