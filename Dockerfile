# The mock server in a container: docker build -t mockserver . && docker run --rm -p 8080:8080 mockserver
#
# BASE is any image with Python 3.11 or later and its venv module.
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
COPY pyproject.toml README.md ./
COPY mockserver mockserver
COPY openapi openapi
COPY scenarios scenarios
RUN python3 -m venv /opt/mockserver \
    && /opt/mockserver/bin/pip install --no-cache-dir . \
    && /opt/mockserver/bin/python -m pip uninstall --yes --quiet pip \
    && /opt/mockserver/bin/python -m compileall -q /opt/mockserver

FROM ${BASE}
LABEL org.opencontainers.image.title="mockserver" \
      org.opencontainers.image.description="An OpenAPI-driven mock server with a scenario engine" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/mockserver /opt/mockserver
# Nothing is written but the cache of compiled documents, and that only where /tmp can be.
ENV PATH=/opt/mockserver/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    XDG_CACHE_HOME=/tmp \
    MOCKSERVER_HOST=0.0.0.0 \
    MOCKSERVER_PORT=8080 \
    MOCKSERVER_ADMIN_OPEN=true
# Who can reach the port may control the server. MOCKSERVER_ADMIN_TOKEN asks for a token instead.
WORKDIR /mock
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s --retries=3 CMD ["mockserver", "health"]
ENTRYPOINT ["mockserver"]
CMD ["serve"]
