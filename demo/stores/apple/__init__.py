"""An App Store of our own: Apple's protocol, with another root certificate."""
