# The explorer, for one machine: docker build -t acot-explorer . && docker run --rm -p 127.0.0.1:5006:5006 acot-explorer
FROM python:3.11-slim AS build
WORKDIR /src
RUN pip install --no-cache-dir hatchling==1.33.0
COPY . .
RUN python -m hatchling build -t wheel -d /dist

FROM python:3.11-slim
ENV PYTHONUNBUFFERED=1 HOME=/home/acot
RUN useradd --create-home --uid 10001 acot
COPY constraints.txt /tmp/constraints.txt
# The CPU build of torch comes first: PyPI's brings CUDA, a few GB.
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch==2.13.0
COPY --from=build /dist /dist
RUN pip install --no-cache-dir -c /tmp/constraints.txt "$(echo /dist/*.whl)[app,datasets]"
USER 10001
WORKDIR /home/acot
EXPOSE 5006
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5006/explorer', timeout=8)"]
# Inside, it must listen to the container's own address. Who may reach that, `docker run -p 127.0.0.1:...` says; for
# another name than localhost, add -- --allow-websocket-origin NAME.
ENTRYPOINT ["acot", "explore", "--no-show", "--address", "0.0.0.0"]
CMD ["--", "--allow-websocket-origin", "localhost:5006", "--allow-websocket-origin", "127.0.0.1:5006"]
