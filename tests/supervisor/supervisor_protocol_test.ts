import assert from "node:assert/strict";
import { EnsembleError, InvalidInputError } from "../../runtime/errors.ts";
import { supervisorChecks, supervisorClient } from "../../supervisor/supervisor_protocol.ts";

Deno.test("supervisorClient names the command that lists supervisors when a server is none", async () => {
  const unknown = new EnsembleError("no actor supervisor in web1", { code: "UNKNOWN_ACTOR" });
  const asker = { ask: () => Promise.reject(unknown) };
  await assert.rejects(supervisorClient(asker, "web1").list(), (error) => {
    assert.ok(error instanceof EnsembleError);
    assert.equal(error.code, "UNKNOWN_ACTOR");
    assert.match(error.message, /^web1 is not a host's supervisor: .*lookup --role supervisor$/);
    return true;
  });
});

Deno.test("supervisorClient refuses an answer that is not of the protocol", async () => {
  const servers = [{ id: "../web1", state: "up", adopted: false, added: false, outdated: false }];
  const asker = { ask: <Reply>() => Promise.resolve({ host: "a", now: 0, servers } as Reply) };
  await assert.rejects(supervisorClient(asker, "supervisor-a").list(), InvalidInputError);
});

Deno.test("supervisorChecks limit what a request may ask for", () => {
  const start = { id: "web1", args: new Array(257).fill("x"), by: "me@a" };
  assert.throws(() => supervisorChecks.start!(start), /args is .*, not a list of up to 256/);
  assert.throws(() => supervisorChecks.stop!({ id: "../x", by: "me@a" }), InvalidInputError);
  const read = supervisorChecks.readOutput!({ id: "web1", lines: 1e9, wait: 1e9 });
  assert.deepEqual(read, { id: "web1", lines: 10_000, wait: 30_000 });
  const workers = { role: "worker", prefix: "worker", count: 1e9, by: "me@a" };
  assert.partialDeepStrictEqual(supervisorChecks.startWorkers!(workers), { count: 1_000 });
});
