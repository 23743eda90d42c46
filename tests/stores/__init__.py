"""A package, so that one market can live as long as the tests here, and no longer."""
