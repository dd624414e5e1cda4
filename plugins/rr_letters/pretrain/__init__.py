"""How the embedded base was made: `python -m rr_letters.pretrain --out FOLDER`."""
