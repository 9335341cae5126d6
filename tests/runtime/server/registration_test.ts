import assert from "node:assert/strict";
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { Envelope, messageType, type Route, toFailure } from "../../../runtime/actor/messaging.ts";
import { ActorRef } from "../../../runtime/actor/references.ts";
import { DisconnectedError, EnsembleError } from "../../../runtime/errors.ts";
import { Refusal, RefusedError } from "../../../runtime/server/handshake_messages.ts";
import { Registration } from "../../../runtime/server/registration.ts";
import type { OwnEntry } from "../../../runtime/server/registry_protocol.ts";
import { type FakeClock, stopClock } from "../../fake_clock.ts";
import { CapturedLogs, eventually } from "./captured_logs.ts";

const LEASE = 15_000;

/** A request to the registry, and when it was made. */
interface Asked {
  readonly type: string;
  readonly at: number;
  readonly message: { readonly revision?: number; readonly entry?: OwnEntry };
}

/** A server's actors, whose registry is the test: it answers each request as told. */
class Registered implements AsyncDisposable {
  readonly clock: FakeClock = stopClock("setTimeout", "clearTimeout", "performance");
  readonly actors = new ActorSystem("a");
  readonly asked: Asked[] = [];
  roles = ["worker"];
  answer: (type: string) => unknown = (type) =>
    type === "register" ? { revision: this.asked.length, lease: LEASE } : true;
  readonly registration = new Registration(this.actors, {
    entry: () => ({
      id: "a",
      instance: new Uint8Array(32),
      addresses: [],
      roles: this.roles,
      state: "up",
    }),
    leave: () => false,
  });

  constructor() {
    const send: Route["send"] = (server, envelope) => {
      const type = messageType(envelope.message)!;
      if (!type.includes("monitor")) {
        const message = envelope.message as Asked["message"];
        this.asked.push({ type, at: performance.now(), message });
      }
      void this.#reply(server, envelope);
      return true;
    };
    this.actors.route = { send, silence: () => undefined };
  }

  async start(): Promise<void> {
    await this.registration.add();
    this.registration.keep();
    await this.clock.tickAsync(0);
  }

  /** The registry ends its connection with the server, or cannot be reached. */
  lose(error = new DisconnectedError("cannot reach registry: it is away")): void {
    this.actors.disconnected("registry", error);
  }

  types(): string[] {
    return this.asked.splice(0).map(({ type }) => type);
  }

  async #reply(server: string, { nonce, message }: Envelope): Promise<void> {
    await Promise.resolve();
    const answer = this.answer(messageType(message)!);
    if (answer === undefined) return;
    if (answer instanceof DisconnectedError) return this.lose(answer);
    const failed = answer instanceof Error;
    const value = failed ? toFailure(answer) : answer;
    const source = new ActorRef(server, "registry");
    this.actors.deliver(new Envelope(value, "server", source, 1, nonce, undefined, false, failed));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.answer = () => true;
    await this.registration.remove("the test is over");
    this.actors.close();
    this.clock[Symbol.dispose]();
  }
}

Deno.test("a lease is renewed at a third of it, some percent earlier or later", async () => {
  await using server = new Registered();
  await server.start();
  await server.clock.tickAsync(100_000);
  const renewals = server.asked.filter(({ type }) => type === "renew");
  assert.equal(renewals.length + 1, server.asked.length);
  assert.ok(renewals.every(({ message }) => message.revision === 1));
  const pauses = renewals.map(({ at }, n) => at - (renewals[n - 1] ?? server.asked[0]!).at);
  assert.ok(pauses.every((pause) => pause >= 4_500 && pause <= 5_501), `${pauses}`);
  assert.ok(new Set(pauses).size > 1);
});

Deno.test("a server registers again when the registry does not have its entry", async () => {
  await using server = new Registered();
  await server.start();
  server.types();
  server.answer = (type) => type === "renew" ? false : { revision: 7, lease: LEASE };
  await server.clock.tickAsync(5_600);
  assert.deepEqual(server.types(), ["renew", "register"]);
  server.answer = () => true;
  await server.clock.tickAsync(5_600);
  assert.equal(server.asked[0]?.message.revision, 7);
});

Deno.test("update resolves when the registry has the entry as it is now", async () => {
  await using server = new Registered();
  await server.start();
  server.types();
  server.roles = ["worker", "more"];
  await server.registration.update();
  assert.deepEqual(server.asked.map(({ message }) => message.entry?.roles), [["worker", "more"]]);
});

Deno.test("a server that lost the registry asks again, at most 3 s later, and logs that once", async () => {
  using logs = await CapturedLogs.start();
  await using server = new Registered();
  await server.start();
  server.types();
  const before = performance.now();
  server.answer = () => new DisconnectedError("cannot reach registry: it is away");
  server.lose();
  await server.clock.tickAsync(60_000);
  // A request whose connection is lost is made once again.
  const times = server.asked.map(({ at }) => at);
  const pauses = times.map((at, n) => at - (times[n - 1] ?? before)).filter((pause) => pause > 0);
  assert.ok(pauses.length > 20, `${pauses.length}`);
  assert.ok(pauses.every((pause) => pause <= 3_001), `${pauses}`);
  assert.ok(new Set(pauses).size > 10);
  server.answer = (type) => type === "register" ? { revision: 9, lease: LEASE } : true;
  await server.clock.tickAsync(3_001);
  await eventually(() => logs.matching(/registered again/).length > 0);
  assert.deepEqual(logs.lines, [
    "WARN registration: the registry was lost; registering again as soon as it is back",
    "WARN registration: cannot register yet: cannot reach registry: it is away",
    "INFO registration: registered again",
  ]);
});

Deno.test("a server asks a busy registry less often, and says so once", async () => {
  using logs = await CapturedLogs.start();
  await using server = new Registered();
  await server.start();
  server.types();
  server.answer = () => new DisconnectedError("cannot reach registry: it is away");
  server.lose();
  await server.clock.tickAsync(10_000);
  server.types();
  server.answer = busy;
  await server.clock.tickAsync(3_001);
  const [{ at: first }] = server.asked as [Asked];
  await server.clock.tickAsync(60_000);
  const times = server.asked.map(({ at }) => at);
  const pauses = times.map((at, n) => at - (times[n - 1] ?? first)).filter((pause) => pause > 0);
  assert.ok(pauses.every((pause) => pause >= 1_500 && pause <= 10_001), `${pauses}`);
  assert.ok(pauses.some((pause) => pause > 3_001), `${pauses}`);
  server.answer = (type) => type === "register" ? { revision: 9, lease: LEASE } : true;
  await server.clock.tickAsync(10_001);
  await eventually(() => logs.matching(/registered again/).length > 0);
  assert.match(
    logs.complaints[2]!,
    /: the registry is busy with other servers; asking again in \d s$/,
  );
  assert.equal(logs.complaints.length, 3, logs.complaints.join("\n"));
});

Deno.test("a server that starts waits for a busy registry, and not for one that is away", async () => {
  using logs = await CapturedLogs.start();
  await using server = new Registered();
  server.answer = busy;
  const begun = server.registration.begin();
  await server.clock.tickAsync(20_000);
  assert.ok(server.asked.length > 2);
  server.answer = (type) => type === "register" ? { revision: 9, lease: LEASE } : true;
  await server.clock.tickAsync(10_001);
  await begun;
  assert.match(logs.complaints.join("\n"), /^WARN registration: the registry is busy with [^\n]*$/);
  server.answer = () => new DisconnectedError("cannot reach registry: it is away");
  await assert.rejects(server.registration.begin(), /it is away/);
});

Deno.test("a server that starts gives up on a registry that is busy for a minute", async () => {
  await using server = new Registered();
  server.answer = busy;
  const refused = assert.rejects(server.registration.begin(), /it is busy/);
  await server.clock.tickAsync(60_000);
  await refused;
});

/** The registry has no time for a connection. */
function busy(): DisconnectedError {
  const message = "it is busy";
  const cause = new RefusedError({ refusal: Refusal.Busy, message });
  return new DisconnectedError(`cannot reach registry: ${message}`, { cause });
}

Deno.test("a server that is refused says so once, and asks again", async () => {
  using logs = await CapturedLogs.start();
  await using server = new Registered();
  await server.start();
  server.answer = (type) =>
    type === "renew" ? false : new EnsembleError("it is another's", { code: "ID_TAKEN" });
  await server.clock.tickAsync(30_000);
  assert.deepEqual(logs.complaints, ["WARN registration: cannot register yet: it is another's"]);
  assert.ok(server.asked.length > 5);
});

Deno.test("a registry that does not answer is lost, and asked again", async () => {
  using logs = await CapturedLogs.start();
  await using server = new Registered();
  await server.start();
  server.answer = () => undefined;
  await server.clock.tickAsync(20_000);
  assert.match(logs.complaints.join("\n"), /the registry was lost; .*\n.*no answer from registry/);
  server.answer = (type) => type === "register" ? { revision: 9, lease: LEASE } : true;
  await server.clock.tickAsync(10_000);
  await eventually(() => logs.matching(/registered again/).length > 0);
});

Deno.test("a connection that ends while a server registers again is not another loss", async () => {
  using logs = await CapturedLogs.start();
  await using server = new Registered();
  await server.start();
  server.answer = () => undefined;
  await eventually(async () => {
    await server.clock.tickAsync(1_000);
    return server.asked.filter(({ type }) => type === "register").length > 1;
  }, "it registers again, without an answer");
  server.answer = (type) => type === "register" ? { revision: 9, lease: LEASE } : true;
  // The silent connection is closed, and the request is made once more over another one.
  const closed = new DisconnectedError("the connection to registry was lost: silent for 60 s");
  closed.wasConnected = true;
  server.lose(closed);
  await server.clock.tickAsync(30_000);
  assert.equal(logs.matching(/the registry was lost/).length, 1, logs.lines.join("\n"));
  assert.equal(logs.matching(/registered again/).length, 1);
  server.lose();
  await server.clock.tickAsync(30_000);
  assert.equal(logs.matching(/the registry was lost/).length, 2, "it notices the next loss");
});

Deno.test("nothing is registered after the entry was removed", async () => {
  await using server = new Registered();
  await server.start();
  server.types();
  server.registration.announceChange();
  const removed = server.registration.remove("it stops");
  await server.clock.tickAsync(0);
  await removed;
  await server.clock.tickAsync(20_000);
  assert.deepEqual(server.types(), ["remove"]);
});
