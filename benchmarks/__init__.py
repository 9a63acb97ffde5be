"""Side-by-side measurements with peers, one command each; see the README."""
