"""The formulas of measures, and those of ir_measures."""
