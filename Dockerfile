# Playhead on a CPU: the page, the HTTP API and the command line.
#   docker build --tag playhead .
#   docker run --rm -p 8484:8484 -e PLAYHEAD_UI_PASSWORD=... -v ~/talks:/videos playhead
# On an NVIDIA GPU (never built yet): docker build --build-arg EXTRAS=gpu,ui,mcp,remote --tag playhead:gpu .
# BASE is any Debian image with Python 3.11 as `python`: a mirror, or one with your own certificates.
# TORCH_BACKEND=cpu takes torch without CUDA from PyTorch's own index; PyPI has it with CUDA only (4 GB more).
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS build
ARG EXTRAS=local,weights,ui,mcp,remote
ARG TORCH_BACKEND
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
COPY . .
RUN python -m venv /opt/playhead \
    && /opt/playhead/bin/pip install "uv>=0.9" \
    && /opt/playhead/bin/uv pip install --python /opt/playhead/bin/python ${TORCH_BACKEND:+--torch-backend "${TORCH_BACKEND}"} \
        --compile-bytecode --constraint .ci/requirements.lock ".[${EXTRAS}]"

FROM ${BASE}
# Debian replaces versions by security updates: a pinned one vanishes.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 playhead \
    && mkdir --parents /videos /home/playhead/.cache/playhead \
    && chown --recursive playhead /videos /home/playhead/.cache
COPY --from=build /opt/playhead /opt/playhead
ENV PATH=/opt/playhead/bin:$PATH PYTHONUNBUFFERED=1
USER 1000
# The videos, and the library in /videos/.playhead. Joined weights are kept in the cache.
VOLUME ["/videos", "/home/playhead/.cache/playhead"]
EXPOSE 8484
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:8484/login'), timeout=4)"]
ENTRYPOINT ["playhead"]
CMD ["ui", "/videos", "--host", "0.0.0.0", "--port", "8484", "--no-open", "--api"]
