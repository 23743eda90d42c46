"""A package, so that one instance can live as long as the tests here, and no longer."""
