"""Google's side of the wire: Google Play's API as far as the adapter speaks to it, and what signs and pushes."""
