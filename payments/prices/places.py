"""Where prices differ, and where a viewer is: which adjustments apply there."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID


@dataclass(frozen=True)
class Variant:
    """Where a price differs, and by which adjustment."""

    regions: frozenset[str]
    platforms: frozenset[str]
    adjustment_id: UUID

    def fits(self, *, region: str, platform: str) -> bool:
        """Nothing said is everything."""
        return (not self.regions or region in self.regions) and (
            not self.platforms or platform in self.platforms
        )


@dataclass(frozen=True)
class Place:
    """Where a viewer is, as far as it is known: empty is not."""

    region: str = ""
    platform: str = ""

    def first_fitting(self, variants: Iterable[Variant]) -> UUID | None:
        """The adjustment of the first of these that fits here."""
        fitting = (v for v in variants if v.fits(region=self.region, platform=self.platform))
        return next((variant.adjustment_id for variant in fitting), None)


NOWHERE = Place()


@dataclass(frozen=True)
class Adjusting:
    """What adjusts a price for those of whom only their place is known, and perhaps their arm."""

    variants: tuple[Variant, ...] = ()
    in_arm: UUID | None = None
    promotions: tuple[Variant, ...] = ()

    @property
    def unpromoted(self) -> "Adjusting":
        """The same before and after every promotion."""
        return replace(self, promotions=())

    @property
    def named(self) -> tuple[Variant, ...]:
        """Everything in it that names places."""
        return self.variants + self.promotions

    def at(self, place: Place) -> tuple[UUID, ...]:
        """The adjustments that apply there, in their order."""
        promoting = place.first_fitting(self.promotions)
        adjusting = (place.first_fitting(self.variants), self.in_arm, promoting)
        return tuple(one for one in adjusting if one is not None)
