"""What operators see of the catalog and may do: edit texts and labels, publish, withdraw.

Series come in by pushes alone, so nothing is added here; ids, versions and beats are only shown.
"""

from catalog.admin import (  # noqa: F401  registered by being imported
    access,
    episodes,
    feed,
    media,
    series,
)
