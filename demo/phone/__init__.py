"""A phone in the browser: the reference client with a store's SDK inside."""
