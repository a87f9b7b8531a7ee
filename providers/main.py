"""The plugin's process."""

from providers.stubs import skip_sdk

if __name__ == "__main__":
    skip_sdk()  # before the first import of a stub
    from providers.serve import serve

    serve()
