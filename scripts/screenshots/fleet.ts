/**
 * Many servers in one process, with actors and some traffic between them.
 *
 * usage: `deno run -A fleet.ts <number of the process> <servers> <actors of each>`
 *
 * @module
 */
import { startServer } from "../../mod.ts";

const ROLES = ["web", "web", "web", "stock", "stock", "checkout", "search", "mail"];

const [process, count, actors] = Deno.args.map(Number) as [number, number, number];
const servers = await Promise.all(
  Array.from({ length: count }, (_, index) => {
    const number = process * count + index + 1;
    const role = ROLES[index % ROLES.length]!;
    return startServer(`${role}${number}`, { roles: [role], log: false });
  }),
);
for (const server of servers) {
  server.serve("echo", { say: () => 1 });
  for (let index = 0; index < actors; index++) {
    server.spawn(undefined, (self) => self.loop([]));
  }
}
console.log("started");
setInterval(() => {
  for (const [index, server] of servers.entries()) {
    for (const distance of [1, 5]) {
      const peer = servers[(index + distance) % servers.length]!;
      server.ask(`echo@${peer.id}`, { type: "say" }).catch(() => {});
    }
  }
}, 500);
