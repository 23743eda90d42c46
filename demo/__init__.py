"""The demo: a removable app that fills an empty system with a catalogue worth looking at."""
