"""How the admin writes dates, by language (Django's FORMAT_MODULE_PATH)."""
