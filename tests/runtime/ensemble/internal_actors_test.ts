import assert from "node:assert/strict";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";

function source(path: string): string {
  return JSON.stringify(new URL(`../../../${path}`, import.meta.url).href);
}

/**
 * Starts a registry, a server and a rogue in one process, and sends every actor an unknown message.
 */
const PROGRAM = `
  import { MemoryStore } from ${source("registry/local_store.ts")};
  import { serveRegistry } from ${source("registry/registry_actor.ts")};
  import { ActorRef } from ${source("runtime/actor/references.ts")};
  import { createCookie, readCookie } from ${source("runtime/home/cookie.ts")};
  import { startServer } from ${source("runtime/ensemble/start_server.ts")};
  import { findPlaces } from ${source("runtime/home/paths.ts")};
  import { loaderClient } from ${source("runtime/ensemble/remote.ts")};
  import { ActorServer } from ${source("runtime/server/actor_server.ts")};
  import { localUnixAddress } from ${source("runtime/wire/address.ts")};

  await createCookie(findPlaces());
  const registry = await startServer("registry", {
    prepare: async (server) => void await serveRegistry(server, new MemoryStore()),
  });
  const start = async (id, listen) =>
    await ActorServer.start({
      id,
      cookies: [await readCookie(findPlaces())],
      listen,
      registry: [localUnixAddress(findPlaces().socket("registry"))],
      roles: [],
      register: listen.length > 0,
    });
  const server = await start("server1", [localUnixAddress(findPlaces().socket("server1"))]);
  const rogue = await start("rogue", []);
  const opener = rogue.actors.spawn("opener", (self) => self.loop([]));
  await loaderClient(opener, "registry").openSession({});

  const junk = async (actor) => {
    const ref = new ActorRef(actor.ref.server, actor.serial);
    rogue.actors.tell(ref, { type: "nonsense", more: new Uint8Array(100_000) });
    rogue.actors.tell(ref, "nonsense");
    const reason = await rogue.actors.ask(ref, 7).then(() => "answered", (error) => error.message);
    const name = actor.name ?? actor.group.name;
    console.log(name + ": " + reason + ", " + actor.mailboxLength + " wait");
  };
  for (const actor of [...registry.actors.actors(), ...server.actors.actors()]) await junk(actor);
  const registration = server.actors.find("registration");
  await registry.stop();
  await junk(registration);
  Deno.exit();
`;

Deno.test("internal actors of a started server keep no unknown message", async () => {
  using ensemble = new TemporaryEnsemble();
  const { stdout, stderr } = await ensemble.evaluate(PROGRAM);
  const lines = stdout.split("\n").slice(0, -1).map((line) => line.split(": "));
  const known = ["loader", "observer", "registration", "registry", "repl", "server"];
  for (const name of known) assert.ok(lines.some(([actor]) => actor === name), stderr);
  for (const [actor, ...rest] of lines) {
    assert.deepEqual(rest, ["unexpected message", "number, 0 wait"], actor);
  }
  // The registration actor is tested both while the registry runs and while it does not.
  assert.equal(lines.filter(([actor]) => actor === "registration").length, 2);
});
