/// <reference lib="dom" />
/**
 * The observer's page: follows the events of its server, and shows the servers.
 *
 * @module
 */
import { h, render } from "npm:preact@^10.27.2";
import type { Changes, ObservedServer, Snapshot } from "./page_protocol.ts";

const servers = new Map<string, ObservedServer>();

function draw(): void {
  const rows = [...servers.values()].map(({ id, state }) => h("li", { key: id }, `${id} ${state}`));
  render(h("ul", null, rows), document.getElementById("page")!);
}

const events = new EventSource("events");

events.addEventListener("snapshot", (event: MessageEvent<string>) => {
  const snapshot: Snapshot = JSON.parse(event.data);
  servers.clear();
  for (const server of snapshot.servers) servers.set(server.id, server);
  draw();
});

events.addEventListener("changes", (event: MessageEvent<string>) => {
  const changes: Changes = JSON.parse(event.data);
  for (const server of changes.servers ?? []) servers.set(server.id, server);
  for (const { id, status, error } of changes.figures ?? []) {
    const server = servers.get(id);
    if (server) servers.set(id, { ...server, status, error });
  }
  for (const id of changes.removed ?? []) servers.delete(id);
  draw();
});
