"""A pytest plugin: a property that fails has been caught, and need not be made small."""

from hypothesis import Phase, settings

settings.register_profile("quick failures", phases=[Phase.explicit, Phase.generate])
settings.load_profile("quick failures")
