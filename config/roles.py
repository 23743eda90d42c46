"""What each role of operators may do: Django groups, written from this table.

`manage.py migrate` and `manage.py create_roles` set them to exactly what stands here. For another
mix of permissions make a group of another name; it is left alone.
"""

from collections.abc import Mapping, Sequence

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q

#: Model → what may be done to it, as Django's permissions name it.
Permissions = Mapping[str, Sequence[str]]

VIEW = ("view",)
EDIT = ("view", "add", "change")

READ_MONEY: Permissions = {
    "payments.wallet": VIEW,
    "payments.transfer": VIEW,
    "payments.entry": VIEW,
    "payments.lot": VIEW,
    "payments.lotmovement": VIEW,
    "payments.purchase": VIEW,
    "payments.purchaseintent": VIEW,
    "payments.passpurchase": VIEW,
    "payments.passintent": VIEW,
    "payments.unlock": VIEW,
    "payments.autounlockconsent": VIEW,
    "payments.entitlement": VIEW,
    "payments.grant": VIEW,
    "payments.refund": VIEW,
    "payments.refundbooking": VIEW,
    "payments.passrefundbooking": VIEW,
    "payments.unlockreversal": VIEW,
    "payments.offerclaim": VIEW,
    "payments.promoredemption": VIEW,
}
#: What stores said, what they are told, and whose subscriptions are.
READ_STORES: Permissions = {
    "payments.storemessage": VIEW,
    "payments.storecall": VIEW,
    "payments.storehistory": VIEW,
    "payments.subscription": VIEW,
    "payments.refusedclaim": VIEW,
}
#: Our books against the stores', and what currencies were worth.
READ_BOOKS: Permissions = {
    "payments.reconciliation": VIEW,
    "payments.difference": VIEW,
    "payments.feeadjustment": VIEW,
    "payments.storereport": VIEW,
    "payments.exchangerate": VIEW,
}
#: To have messages applied and stores told again, and to give a subscription to another viewer.
MEND_STORES: Permissions = {
    "payments.storemessage": ("view", "change"),
    "payments.storecall": ("view", "change"),
    "payments.subscription": ("view", "change"),
}
#: To say that a difference was looked at, and to bring reports and rates.
KEEP_BOOKS: Permissions = {
    "payments.difference": ("view", "change"),
    "payments.storereport": ("view", "add"),
    "payments.exchangerate": ("view", "add"),
}
#: What all viewers' money comes to, by the day.
READ_DAYS: Permissions = {"payments.moneyday": VIEW, "payments.ledgerdigest": VIEW}
READ_PRICES: Permissions = {
    "payments.priceplan": VIEW,
    "payments.priceversion": VIEW,
    "payments.episodeprice": VIEW,
    "payments.planassignment": VIEW,
    "payments.pricechange": VIEW,
    "payments.planrule": VIEW,
    "payments.priceexception": VIEW,
    "payments.promotion": VIEW,
    "payments.acquisitionlink": VIEW,
    "payments.coinpack": VIEW,
    "payments.passproduct": VIEW,
    "payments.paywallplacement": VIEW,
    "payments.placementrule": VIEW,
    "payments.storeproduct": VIEW,
    "payments.storeterms": VIEW,
    "payments.offer": VIEW,
}
#: A code that nobody has redeemed yet is as good as money to whoever reads it.
READ_PROMOS: Permissions = {"payments.promocode": VIEW, "payments.promobatch": VIEW}
#: What is asked by chance, and how many have met it.
READ_EXPERIMENTS: Permissions = {
    "viewers.layer": VIEW,
    "viewers.experiment": VIEW,
    "viewers.arm": VIEW,
    "payments.offerpolicy": VIEW,
    "payments.offerrule": VIEW,
    "payments.offerdecision": VIEW,
    "payments.offertaken": VIEW,
}
READ_CATALOG: Permissions = {
    "catalog.series": VIEW,
    "catalog.seriestext": VIEW,
    "catalog.episode": VIEW,
    "catalog.episodetext": VIEW,
    "catalog.episodeversion": VIEW,
    "catalog.beat": VIEW,
    "catalog.mediaasset": VIEW,
    "catalog.accesschange": VIEW,
}
READ_VIEWERS: Permissions = {
    "viewers.viewer": VIEW,
    "viewers.device": VIEW,
    "viewers.identity": VIEW,
    "catalog.feeddecision": VIEW,
    "viewers.flag": VIEW,
}
#: To say that a viewer or a playback counts in no figure, and to lift that.
FLAG_VIEWERS: Permissions = {"viewers.flag": EDIT}
READ_ADS: Permissions = {
    "ads.placement": VIEW,
    "ads.adsession": VIEW,
    "ads.reward": VIEW,
    "ads.callback": VIEW,
    "ads.parkedcallback": VIEW,
    "ads.goal": VIEW,
    "ads.verifierkeys": VIEW,
    "ads.impression": VIEW,
    "analytics.adalarm": VIEW,
}
#: What networks report, and what ads earned by it.
READ_AD_REVENUE: Permissions = {
    "ads.revenueday": VIEW,
    "ads.trueup": VIEW,
    "ads.earningcorrection": VIEW,
    "ads.revenuereport": VIEW,
    "ads.reportedday": VIEW,
    "ads.reportline": VIEW,
    "ads.reportpull": VIEW,
}
#: To bring what networks report.
KEEP_AD_REVENUE: Permissions = {"ads.revenuereport": ("view", "add")}
#: To change a placement and what opens a title, and to say that an alarm was looked at.
EDIT_ADS: Permissions = {
    "ads.placement": EDIT,
    "catalog.accesschange": ("view", "add"),
    "analytics.adalarm": ("view", "change"),
}
#: To pay parked callbacks, or to dismiss them.
MEND_ADS: Permissions = {"ads.parkedcallback": ("view", "change")}
#: What can be earned, what was, and who brought whom.
READ_GROWTH: Permissions = {
    "ads.task": VIEW,
    "ads.tasktext": VIEW,
    "ads.checkinday": VIEW,
    "ads.taskcampaign": VIEW,
    "ads.taskclaim": VIEW,
    "ads.referral": VIEW,
}
#: To change a referral is to have it pay nothing.
EDIT_GROWTH: Permissions = {
    "ads.task": EDIT,
    "ads.tasktext": (*EDIT, "delete"),
    "ads.checkinday": (*EDIT, "delete"),
    "ads.taskcampaign": EDIT,
    "ads.referral": ("view", "change"),
}
#: To ask for a gift. What one person may not give alone waits for a role that decides.
GIVE: Permissions = {"payments.grant": ("view", "add")}
#: To approve gifts and take them back, to refund purchases and reverse that, to undo unlocks, to release
#: a wallet that is held.
DECIDE_MONEY: Permissions = {
    "payments.wallet": ("view", "change"),
    "payments.grant": EDIT,
    "payments.refund": EDIT,
    "payments.unlockreversal": ("view", "add"),
}
#: What apps sent and could not be believed: support explains it to whoever made the app.
READ_QUARANTINE: Permissions = {"analytics.quarantinedevent": VIEW}
READ_ANALYTICS: Permissions = {
    "analytics.eventbatch": VIEW,
    "analytics.quarantinedevent": VIEW,
    "analytics.flush": VIEW,
    "analytics.lakefile": VIEW,
    "analytics.repeatedevent": VIEW,
    "analytics.repeatcount": VIEW,
    "analytics.rankingsnapshot": VIEW,
    "analytics.changedhour": VIEW,
    "analytics.postingsread": VIEW,
    "analytics.countedflag": VIEW,
    "analytics.rolluphour": VIEW,
    "analytics.rollupvalue": VIEW,
    "analytics.rollupcheck": VIEW,
    "analytics.rollupdifference": VIEW,
    "analytics.historyimport": VIEW,
    "analytics.refusedline": VIEW,
    "analytics.export": ("view", "add"),
    "analytics.exportrecord": VIEW,
}
EDIT_CATALOG: Permissions = {
    "catalog.series": EDIT,
    "catalog.seriestext": (*EDIT, "delete"),
    "catalog.episode": EDIT,
    "catalog.episodetext": (*EDIT, "delete"),
}
#: Prices change by a change of prices: to add one is to ask, to change one is to decide as the second
#: person, or to roll back. Versions are added, never changed: the application's database role could not
#: either.
EDIT_PRICES: Permissions = {
    "payments.priceplan": EDIT,
    "payments.priceversion": VIEW,
    "payments.episodeprice": VIEW,
    "payments.planassignment": VIEW,
    "payments.pricechange": EDIT,
    "payments.planrule": EDIT,
    "payments.priceexception": ("view", "change"),
    "payments.promotion": ("view", "change"),
    "payments.acquisitionlink": EDIT,
    "payments.coinpack": EDIT,
    "payments.passproduct": EDIT,
    "payments.paywallplacement": EDIT,
    "payments.placementrule": (*EDIT, "delete"),
    "payments.storeproduct": EDIT,
    "payments.storeterms": (*EDIT, "delete"),
    "payments.offer": EDIT,
    "payments.promocode": EDIT,
    "payments.promobatch": ("view", "add"),
}
#: Only drafts are changed or deleted; to end what runs, or to agree to it, takes the same.
EDIT_EXPERIMENTS: Permissions = {
    "viewers.layer": EDIT,
    "viewers.experiment": (*EDIT, "delete"),
    "viewers.arm": (*EDIT, "delete"),
    "payments.offerpolicy": (*EDIT, "delete"),
    "payments.offerrule": (*EDIT, "delete"),
    "payments.offerdecision": VIEW,
    "payments.offertaken": VIEW,
}
MANAGE_ACCESS: Permissions = {
    "viewers.viewer": ("view", "change"),
    "viewers.apikey": EDIT,
    "auth.user": EDIT,
    "auth.group": VIEW,
    "admin.logentry": VIEW,
}

ROLES: Mapping[str, Sequence[Permissions]] = {
    "support": (
        READ_VIEWERS,
        FLAG_VIEWERS,
        READ_CATALOG,
        READ_PRICES,
        READ_EXPERIMENTS,
        READ_MONEY,
        READ_STORES,
        MEND_STORES,
        READ_ADS,
        MEND_ADS,
        READ_GROWTH,
        READ_QUARANTINE,
        GIVE,
    ),
    "content": (READ_CATALOG, READ_PRICES, EDIT_CATALOG),
    "pricing": (
        READ_CATALOG,
        READ_MONEY,
        READ_PRICES,
        EDIT_PRICES,
        EDIT_EXPERIMENTS,
        READ_ADS,
        READ_AD_REVENUE,
        EDIT_ADS,
        READ_GROWTH,
        EDIT_GROWTH,
    ),
    "analyst": (READ_ANALYTICS, READ_EXPERIMENTS, READ_DAYS, READ_AD_REVENUE),
    "finance": (
        READ_MONEY,
        READ_DAYS,
        READ_PRICES,
        READ_PROMOS,
        READ_STORES,
        MEND_STORES,
        READ_BOOKS,
        KEEP_BOOKS,
        READ_AD_REVENUE,
        KEEP_AD_REVENUE,
        DECIDE_MONEY,
    ),
    "owner": (
        READ_VIEWERS,
        FLAG_VIEWERS,
        READ_CATALOG,
        READ_MONEY,
        READ_DAYS,
        READ_STORES,
        MEND_STORES,
        READ_BOOKS,
        KEEP_BOOKS,
        READ_ADS,
        READ_AD_REVENUE,
        KEEP_AD_REVENUE,
        READ_GROWTH,
        READ_ANALYTICS,
        EDIT_CATALOG,
        EDIT_PRICES,
        EDIT_EXPERIMENTS,
        EDIT_ADS,
        MEND_ADS,
        EDIT_GROWTH,
        DECIDE_MONEY,
        MANAGE_ACCESS,
    ),
}


class UnknownPermission(Exception):
    """The table names a permission that no model has."""


def write() -> None:
    """Makes the groups of ROLES and sets their permissions. Safe to repeat.

    Raises UnknownPermission, with nothing written.
    """
    with transaction.atomic():
        for name, parts in ROLES.items():
            group, _ = Group.objects.get_or_create(name=name)
            group.permissions.set(_permissions(parts))


def _permissions(parts: Sequence[Permissions]) -> Sequence[Permission]:
    wanted = {
        (label.partition(".")[0], f"{action}_{label.partition('.')[2]}")
        for part in parts
        for label, actions in part.items()
        for action in actions
    }
    any_of = Q()
    for app_label, codename in wanted:
        any_of |= Q(content_type__app_label=app_label, codename=codename)
    found = list(Permission.objects.filter(any_of).select_related("content_type"))
    missing = wanted - {(found_.content_type.app_label, found_.codename) for found_ in found}
    if missing:
        raise UnknownPermission(", ".join(sorted(".".join(pair) for pair in missing)))
    return found
