"""The catalog endpoints: parse, one domain call, render."""
