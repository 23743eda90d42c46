"""How the operators' admin looks: names, colours, style sheet (django-unfold's settings)."""

from django.templatetags.static import static
from django.urls import reverse_lazy

#: A petrol whose 600 carries white text at 5.5:1.
PRIMARY = {
    "50": "#f0fdfa",
    "100": "#ccfbf1",
    "200": "#99f6e4",
    "300": "#5eead4",
    "400": "#2dd4bf",
    "500": "#14a395",
    "600": "#0f766e",
    "700": "#115e59",
    "800": "#134e4a",
    "900": "#103d3a",
    "950": "#042f2e",
}

UNFOLD = {
    "SITE_TITLE": "Cliffhanger",
    "SITE_HEADER": "Cliffhanger",
    "SITE_SUBHEADER": "What viewers watch and pay",
    "SITE_SYMBOL": "movie",
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "COLORS": {"primary": PRIMARY},
    "STYLES": [lambda _: static("config/admin.css")],
    "ENVIRONMENT": "config.admin_navigation.mode_label",
    "DASHBOARD_CALLBACK": "analytics.admin.home.fill",
    "SIDEBAR": {"navigation": "config.admin_navigation.sidebar"},
    "ACCOUNT": {
        "navigation": [
            {"title": "Recovery codes", "link": reverse_lazy("admin:recovery_codes")},
            {"title": "Change password", "link": reverse_lazy("admin:password_change")},
        ]
    },
}
