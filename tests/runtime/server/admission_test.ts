import assert from "node:assert/strict";
import { Admission, type Admitted, CHECK_INTERVAL } from "../../../runtime/server/admission.ts";
import { HANDSHAKE_TIMEOUT, MAX_HANDSHAKES } from "../../../runtime/wire/limits.ts";
import { stopClock } from "../../fake_clock.ts";

/** The clients of a listener. */
class Clients implements Disposable {
  readonly clock = stopClock(
    "setTimeout",
    "clearTimeout",
    "setInterval",
    "clearInterval",
    "performance",
  );
  readonly admission = new Admission();
  readonly closed: string[] = [];
  readonly begun = new Map<string, Admitted>();
  readonly turnedAway: string[] = [];

  /** They come, one after the other. Resolves when it is known what becomes of each by then. */
  async come(...names: string[]): Promise<void> {
    for (const name of names) void this.#admit(name);
    await this.clock.tickAsync(0);
  }

  /** As many come as may be in their handshake at once. */
  fill(): Promise<void> {
    return this.come(...Array.from({ length: MAX_HANDSHAKES }, (_, at) => `${at}`));
  }

  async check(times: number): Promise<void> {
    await this.clock.tickAsync(times * CHECK_INTERVAL);
  }

  async #admit(name: string): Promise<void> {
    const client = await this.admission.admit((why) => this.closed.push(`${name}: ${why}`));
    if (client) this.begun.set(name, client);
    else this.turnedAway.push(name);
  }

  [Symbol.dispose](): void {
    for (const client of this.begun.values()) client.end();
    this.clock[Symbol.dispose]();
  }
}

Deno.test("a client waits while others are in their handshake, and begins when one is over", async () => {
  using clients = new Clients();
  await clients.fill();
  assert.equal(clients.begun.size, MAX_HANDSHAKES);
  await clients.come("first", "second");
  assert.equal(clients.admission.waiting, 2);
  clients.begun.get("7")!.end();
  await clients.come();
  assert.ok(clients.begun.has("first") && !clients.begun.has("second"));
  // It does not pass those that came before.
  clients.begun.get("8")!.end();
  await clients.come("third");
  assert.ok(clients.begun.has("second") && !clients.begun.has("third"));
  assert.deepEqual(clients.closed, []);
});

Deno.test("a client that sends nothing gives way to those that wait", async () => {
  using clients = new Clients();
  await clients.fill();
  await clients.check(50);
  assert.deepEqual(clients.closed, [], "none waits");
  for (const [name, client] of clients.begun) {
    for (let i = 0; name !== "3" && i < 2; i++) client.heard();
  }
  await clients.come("waiting");
  await clients.check(15);
  assert.deepEqual(clients.closed, []);
  await clients.check(1);
  assert.deepEqual(clients.closed, ["3: too many handshakes at once"]);
  assert.ok(clients.begun.has("waiting"));
});

Deno.test("a client that does not prove who it is gives way, and one that has proved it does not", async () => {
  using clients = new Clients();
  await clients.fill();
  for (const [name, client] of clients.begun) {
    client.heard();
    if (name !== "3") client.heard();
  }
  await clients.come("waiting");
  await clients.check(15);
  assert.deepEqual(clients.closed, []);
  await clients.check(1);
  assert.deepEqual(clients.closed, ["3: too many handshakes at once"]);
  await clients.come("another");
  await clients.check(20);
  assert.equal(clients.closed.length, 2);
  assert.match(clients.closed[1]!, /^waiting: /, "it said nothing");
});

Deno.test("clients are turned away while the first has waited for long", async () => {
  using clients = new Clients();
  await clients.fill();
  for (const client of clients.begun.values()) for (let i = 0; i < 2; i++) client.heard();
  await clients.come("first");
  await clients.clock.tickAsync(2_000);
  await clients.come("second");
  await clients.clock.tickAsync(1);
  await clients.come("third");
  assert.deepEqual(clients.turnedAway, ["third"]);
  clients.begun.get("0")!.end();
  await clients.come();
  assert.ok(clients.begun.has("first"));
});

Deno.test("clients are turned away while a thousand wait", async () => {
  using clients = new Clients();
  await clients.fill();
  await clients.come(...Array.from({ length: 1024 }, (_, at) => `waiting${at}`));
  assert.deepEqual(clients.turnedAway, []);
  await clients.come("late");
  assert.deepEqual(clients.turnedAway, ["late"]);
  clients.begun.get("0")!.end();
  await clients.come("later");
  assert.deepEqual(clients.turnedAway, ["late"]);
  for (const name of clients.begun.keys()) clients.begun.get(name)!.end();
});

Deno.test("a handshake is over at its timeout, which includes the time that it waited", async () => {
  using clients = new Clients();
  await clients.fill();
  for (const client of clients.begun.values()) for (let i = 0; i < 2; i++) client.heard();
  await clients.clock.tickAsync(HANDSHAKE_TIMEOUT - 1_000);
  await clients.come("late");
  assert.deepEqual(clients.closed, []);
  await clients.clock.tickAsync(1_000);
  assert.equal(clients.closed.length, MAX_HANDSHAKES);
  assert.equal(clients.closed[0], "0: no handshake within 10000 ms");
  await clients.clock.tickAsync(HANDSHAKE_TIMEOUT - 1_000);
  assert.equal(clients.closed.at(-1), "late: no handshake within 10000 ms");
  assert.equal(clients.clock.countTimers(), 0);
});
