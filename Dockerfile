# One service to an image: docker build --build-arg SERVICE=payments .
# What it is asked to do comes after the image's name: api worker relay (the default), migrate, features (fraud alone),
# or one of the operators' commands (--help lists them).

FROM python:3.11-slim AS dependencies
ARG SERVICE
COPY requirements/uv.lock requirements/${SERVICE}.lock /requirements/
RUN python -m venv /opt/uv \
    && /opt/uv/bin/pip install --quiet --no-cache-dir --require-hashes -r /requirements/uv.lock \
    && python -m venv --without-pip /opt/venv \
    && /opt/uv/bin/uv pip install --quiet --no-cache --python /opt/venv/bin/python --compile-bytecode \
       --require-hashes -r /requirements/${SERVICE}.lock

FROM python:3.11-slim
ARG SERVICE
LABEL org.opencontainers.image.title="weir-${SERVICE}"
# What LightGBM is linked against, and this image has not.
RUN if [ "$SERVICE" = fraud ]; then apt-get update -qq \
      && apt-get install -qq --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*; fi
RUN useradd --system --uid 10001 --home-dir /nonexistent weir
COPY --from=dependencies /opt/venv /opt/venv
WORKDIR /weir
# The contracts of all services, the code of one: no image can import another service.
COPY libs libs
COPY schemas schemas
COPY services/${SERVICE} services/${SERVICE}
# APP_DATADIR: Faust makes itself a folder at its start, though it keeps nothing there.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    SERVICE=${SERVICE} WEIR_HTTP_HOST=0.0.0.0 WEIR_HTTP_PORT=8000 APP_DATADIR=/tmp/features
USER weir
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
ENTRYPOINT ["sh", "-c", "exec python -m services.$SERVICE \"$@\"", "weir"]
CMD ["api", "worker", "relay"]
