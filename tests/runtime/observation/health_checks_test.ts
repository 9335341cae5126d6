import assert from "node:assert/strict";
import { currentServer } from "../../../runtime/ensemble/process_servers.ts";
import { withEnsemble } from "../../../testing/test_ensemble.ts";

/** The checks that do not pass, with their messages. */
async function problems(
  server: { health: ReturnType<typeof currentServer>["health"] },
  exclude: string[] = [],
): Promise<Record<string, string | undefined>> {
  const { isReady, checks } = await server.health({ exclude });
  const failed = checks.filter(({ passes }) => !passes);
  assert.equal(isReady, failed.length === 0);
  return Object.fromEntries(failed.map(({ name, message }) => [name, message]));
}

Deno.test(
  "health follows the state of the server, and what the registry has of it",
  withEnsemble(async (ensemble) => {
    const server = await ensemble.startServer("a", { holdReady: true });
    assert.deepEqual(await problems(server), { state: "a is starting" });
    await server.ready();
    assert.deepEqual(await server.health(), {
      isReady: true,
      checks: [{ name: "state", passes: true }, { name: "registry", passes: true }],
    });
    await server.drain({ timeout: 0 });
    assert.deepEqual(await problems(server), {
      state: "a is draining",
      registry: "the registry has a as up, and does not know yet that it is draining",
    });
    await server.undrain();
    assert.deepEqual(await problems(server), {});
    await server.stop();
    assert.deepEqual(await problems(server), {
      state: "a is stopping",
      registry: "a has no lease in the registry",
    });
  }),
);

Deno.test(
  "health of a client has no check of the registry, which does not know it",
  withEnsemble(async (ensemble) => {
    const client = await ensemble.startServer();
    assert.deepEqual(await client.health(), {
      isReady: true,
      checks: [{ name: "state", passes: true }],
    });
  }),
);

Deno.test(
  "addHealthCheck takes a check that throws, rejects or gives false as failed",
  withEnsemble(async (ensemble) => {
    const server = await ensemble.startServer("a");
    server.addHealthCheck("throws", () => {
      throw new Error("it is full");
    });
    server.addHealthCheck("rejects", () => Promise.reject("gone"));
    server.addHealthCheck("false", () => false);
    server.addHealthCheck("later", () => Promise.resolve(false));
    server.addHealthCheck("long", () => Promise.reject(new Error("x".repeat(10_000))));
    server.addHealthCheck("nothing", () => {});
    server.addHealthCheck("truth", () => Promise.resolve(0));
    server.addHealthCheck("current", () => currentServer() === server);
    const { long, ...others } = await problems(server);
    assert.match(long!, /^x+\.\.\. \d+ more characters$/);
    assert.deepEqual(others, {
      throws: "it is full",
      rejects: '"gone"',
      false: "it gave false",
      later: "it gave false",
    });
    const exclude = ["throws", "rejects", "false", "later", "long"];
    assert.deepEqual(await problems(server, exclude), {});
    const names = (await server.health()).checks.map(({ name }) => name);
    assert.deepEqual(names.slice(0, 2), ["state", "registry"]);
    assert.deepEqual(names.slice(2), names.slice(2).sort());
  }),
);

Deno.test(
  "addHealthCheck replaces the check of a name, and removeHealthCheck removes it",
  withEnsemble(async (ensemble) => {
    const server = await ensemble.startServer("a");
    server.addHealthCheck("db", () => false);
    assert.deepEqual(await problems(server), { db: "it gave false" });
    server.addHealthCheck("db", () => true);
    assert.deepEqual(await problems(server), {});
    server.addHealthCheck("db", () => false);
    assert.ok(server.removeHealthCheck("db"));
    assert.ok(!server.removeHealthCheck("db"));
    assert.deepEqual(await problems(server), {});
  }),
);

Deno.test(
  "health does not begin a check that has not ended, and aborts its signal when its time is over",
  withEnsemble(async (ensemble) => {
    const server = await ensemble.startServer("a");
    const signals: AbortSignal[] = [];
    const end = Promise.withResolvers<void>();
    server.addHealthCheck("hangs", (signal) => {
      signals.push(signal);
      return end.promise;
    }, { timeout: 20 });
    assert.deepEqual(await problems(server), { hangs: "it has not ended within 20 ms" });
    assert.ok(signals[0]!.aborted);
    // A result is used again for a second.
    let again: Record<string, string | undefined>;
    do again = await problems(server); while (again.hangs === "it has not ended within 20 ms");
    assert.match(again.hangs!, /^it has not ended since it was begun \d+ s ago$/);
    assert.equal(signals.length, 1);
    end.resolve();
    while ("hangs" in await problems(server));
    assert.equal(signals.length, 2);
    assert.match(ensemble.log, /WARN health: health check hangs of a fails: it has not ended/);
    assert.match(ensemble.log, /INFO health: health check hangs of a passes again/);
  }),
);

Deno.test(
  "health runs a check once for many that ask at the same time",
  withEnsemble(async (ensemble) => {
    const server = await ensemble.startServer("a");
    let count = 0;
    server.addHealthCheck("counts", () => void count++);
    const all = await Promise.all(Array.from({ length: 100 }, () => server.health()));
    assert.ok(all.every(({ isReady }) => isReady));
    assert.equal(count, 1);
  }),
);

Deno.test(
  "addHealthCheck refuses names and timeouts that are not valid",
  withEnsemble(async (ensemble) => {
    const server = await ensemble.startServer("a");
    for (const name of ["", "state", "registry", "a b", "a\n", "x".repeat(65), 'a"b']) {
      assert.throws(() => server.addHealthCheck(name, () => {}), {
        name: "InvalidInputError",
        message: /^not the name of a health check: /,
      });
    }
    for (const timeout of [0, -1, NaN, 5_001, "1" as unknown as number]) {
      assert.throws(() => server.addHealthCheck("a", () => {}, { timeout }), {
        name: "InvalidInputError",
        message: /^not a timeout of a health check: .*: it has up to 5000 ms$/,
      });
    }
    assert.throws(() => server.addHealthCheck("a", 1 as unknown as () => void), {
      message: "health check a is no function: 1",
    });
  }),
);
