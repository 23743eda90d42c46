"""Django's admin with our own site in place of the default one."""

import gc

from django.contrib.admin.apps import AdminConfig


class OperatorsAdminConfig(AdminConfig):
    default_site = "config.admin_site.OperatorsSite"

    def ready(self) -> None:
        super().ready()
        # All apps are imported, and stay: from here on only what comes later can be garbage.
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)
