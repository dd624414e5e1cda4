"""A linear projection head on a frozen encoder, trained with weighted InfoNCE (the BGE-M3 rental recipe)."""
