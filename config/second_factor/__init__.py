"""The second factor of operators: a one-time code after the password, or a recovery code."""
