"""The comparison table for people (terminal, Markdown) and for programs (CSV, JSON)."""
