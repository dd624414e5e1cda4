"""How the embedded base was made: `python -m experiments.pretrain_reader --out FOLDER`."""
