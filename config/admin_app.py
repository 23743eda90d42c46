"""Django's admin with our own site in place of the default one."""

from django.contrib.admin.apps import AdminConfig


class OperatorsAdminConfig(AdminConfig):
    default_site = "config.admin_site.OperatorsSite"
