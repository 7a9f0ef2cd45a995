# One image for every role: `serve`, `serve --role origin`, `serve --role edge`, `serve --role control-plane`.
ARG NODE_IMAGE=node:24-bookworm-slim
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /atoll
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund && npm cache clean --force

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="Atoll" \
      org.opencontainers.image.description="A multi-tenant OCI registry: origin, edges, replication" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /atoll
COPY --from=dependencies /atoll/node_modules ./node_modules
COPY package.json LICENSE NOTICE ./
COPY registry ./registry
COPY policy ./policy
COPY mesh ./mesh
COPY runtime ./runtime
COPY stores ./stores
COPY schema ./schema
COPY origin ./origin
COPY edge ./edge
COPY control-plane ./control-plane
COPY cli ./cli
RUN ln -s /atoll/cli/atoll /usr/local/bin/atoll && mkdir /data && chown node:node /data
USER node
ENV ATOLL_DATA_VOLUME=/data ATOLL_HTTP_HOST=0.0.0.0 ATOLL_EDGE_HOST=0.0.0.0
VOLUME /data
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
ENTRYPOINT ["atoll"]
CMD ["serve"]
