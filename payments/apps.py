from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = "Payments"

    def ready(self) -> None:
        """Registers what is looked at before the service starts."""
        from payments import checks

        assert checks.stores_can_be_believed  # noqa: S101  importing it registers it
