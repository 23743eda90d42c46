from django.apps import AppConfig


class ViewersConfig(AppConfig):
    name = "viewers"

    def ready(self) -> None:
        from viewers import openapi  # noqa: F401  registered by being imported
