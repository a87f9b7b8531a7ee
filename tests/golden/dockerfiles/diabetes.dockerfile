FROM docker.io/library/python@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa

# From here on as root, whoever the base leaves it to.
USER 0:0
ARG PYC_INVALIDATION_MODE=UNCHECKED_HASH \
    SOURCE_DATE_EPOCH=315532800 \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_INSTALL_DIR=/opt/tidegate/python \
    UV_PYTHON_PREFERENCE=system \
    UV_INDEX \
    UV_DEFAULT_INDEX

RUN --mount=type=bind,from=ghcr.io/astral-sh/uv@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb,source=/uv,target=/run/tidegate/uv \
    ["/run/tidegate/uv", "venv", "--no-project", "--python", ">=3.10,>=3.11", "/opt/tidegate/env"]
RUN --mount=type=bind,from=ghcr.io/astral-sh/uv@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb,source=/uv,target=/run/tidegate/uv \
    --mount=type=bind,source=.tidegate/requirements.txt,target=/run/tidegate/requirements.txt \
    ["/run/tidegate/uv", "pip", "install", "--python", "/opt/tidegate/env/bin/python", "--requirements", "/run/tidegate/requirements.txt"]
RUN --mount=type=bind,from=ghcr.io/astral-sh/uv@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb,source=/uv,target=/run/tidegate/uv \
    --mount=type=bind,source=.tidegate/requirements.txt,target=/run/tidegate/requirements.txt \
    --mount=type=bind,source=.tidegate/server,target=/run/tidegate/server \
    ["/run/tidegate/uv", "pip", "install", "--python", "/opt/tidegate/env/bin/python", "--requirements", "/run/tidegate/requirements.txt", "/run/tidegate/server"]

ENV HOME=/tmp \
    PATH=/opt/tidegate/env/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    TIDEGATE_HOST=0.0.0.0 \
    USER=tidegate
HEALTHCHECK --interval=10s --timeout=2s --start-period=310s --retries=3 CMD ["/opt/tidegate/env/bin/python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + (os.environ.get('SERVER_PORT') or '5001'), timeout=2)"]
LABEL io.tidegate.key="e1-47af7a0e1a915ad46878d7717ae59624639af1774e3631e1213869abe0f52b36" \
    io.tidegate.server="0.1.0+000000000000" \
    org.opencontainers.image.base.digest="sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    org.opencontainers.image.title="Tidegate environment"
USER 10001:10001
ENTRYPOINT []
CMD ["/opt/tidegate/env/bin/tidegate-score"]
