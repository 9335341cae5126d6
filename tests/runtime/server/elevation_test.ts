import assert from "node:assert/strict";
import { Envelope } from "../../../runtime/actor/messaging.ts";
import { controlClient, shutDownServer } from "../../../runtime/ensemble/remote.ts";
import { elevate } from "../../../runtime/ensemble/elevation.ts";
import { shortInstance } from "../../../runtime/server/credentials.ts";
import type { Elevation } from "../../../runtime/server/elevation.ts";
import {
  AdministeredEnsemble,
  administratorFingerprint,
  answer,
  challenged,
  elevated,
  granted,
  newAdministrator,
  signed,
} from "./administered_ensemble.ts";
import { CapturedLogs, eventually } from "./captured_logs.ts";
import { stopClock } from "../../fake_clock.ts";
import { LocalEnsemble, refTo } from "./local_ensemble.ts";
import { Proxy } from "./proxy.ts";

const REFUSED = { name: "ActorError", remoteName: "NotAuthorizedError" };

async function targetAndConsole() {
  const ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const target = await ensemble.startVault("target");
  const console = await ensemble.startRogue("console");
  return { ensemble, target, console };
}

Deno.test("the administrator's signature grants what the challenge was for, and nothing else", async () => {
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  assert.deepEqual(await granted(console, target), []);
  await elevated(console, target, "shutdown");
  assert.deepEqual(await granted(console, target), ["shutdown"]);
  await elevated(console, target, "loader");
  assert.deepEqual(await granted(console, target), ["loader", "shutdown"]);
  const other = await ensemble.startRogue("other");
  assert.deepEqual(await granted(other, target), []);
});

Deno.test("admin implies every capability", async () => {
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  await elevated(console, target, "admin");
  assert.deepEqual(await granted(console, target), ["admin", "loader", "shutdown"]);
});

Deno.test("a response is good for one challenge, once", async () => {
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  const signature = await signed(await challenged(console, target, "shutdown"));
  await answer(console, target, signature);
  // Answered twice.
  await assert.rejects(answer(console, target, signature), REFUSED);
  // Replayed to a later challenge for the same.
  await challenged(console, target, "shutdown");
  await assert.rejects(answer(console, target, signature), REFUSED);
  assert.deepEqual(await granted(console, target), ["shutdown"]);
});

Deno.test("of two challenges the later counts, and a wrong answer uses it up", async () => {
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  const first = await challenged(console, target, "admin");
  const second = await challenged(console, target, "shutdown");
  await assert.rejects(answer(console, target, await signed(first)), REFUSED);
  await assert.rejects(answer(console, target, await signed(second)), REFUSED);
  assert.deepEqual(await granted(console, target), []);
  await challenged(console, target, "admin");
  const third = await challenged(console, target, "shutdown");
  await answer(console, target, await signed(third));
  assert.deepEqual(await granted(console, target), ["shutdown"]);
});

Deno.test("many answers to one challenge at once: one of them counts", async () => {
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  const signature = await signed(await challenged(console, target, "shutdown"));
  const answers = await Promise.allSettled([
    answer(console, target, signature),
    answer(console, target, signature),
    answer(console, target, signature),
  ]);
  assert.deepEqual(answers.map(({ status }) => status), ["fulfilled", "rejected", "rejected"]);
});

Deno.test("nothing that a signature covers can be exchanged", async () => {
  const { ensemble, target, console: first } = await targetAndConsole();
  await using _ = ensemble;
  await first.connect(target.id);
  const other = await ensemble.start("other");
  const theirs = await challenged(first, target, "shutdown");
  const exchanges: Record<string, Partial<Elevation>> = {
    "another server": { server: other.id },
    "another instance of the server": { serverInstance: new Uint8Array(other.entry.instance) },
    "another client": { client: first.id },
    "another instance of the client": { clientInstance: new Uint8Array(first.entry.instance) },
    "other capabilities": { capabilities: ["admin"] },
    "more capabilities": { capabilities: ["admin", "shutdown"] },
    "capabilities written as one": { capabilities: ["shutdown "] },
    "another challenge": { nonce: theirs.nonce },
    "no challenge": { nonce: new Uint8Array() },
    "another connection": { binding: theirs.binding },
    "no connection": { binding: new Uint8Array() },
  };
  // Each from a client of its own: a refused one has to wait.
  await Promise.all(
    Object.entries(exchanges).map(async ([what, exchanged], i) => {
      const client = await ensemble.startRogue(`client${i}`);
      const elevation = { ...await challenged(client, target, "shutdown"), ...exchanged };
      await assert.rejects(answer(client, target, await signed(elevation)), REFUSED, what);
      assert.deepEqual(await granted(client, target), [], what);
    }),
  );
});

Deno.test("a response that another administrator signed is none", async () => {
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  const { privateKey } = await newAdministrator();
  const elevation = await challenged(console, target, "shutdown");
  await assert.rejects(answer(console, target, await signed(elevation, privateKey)), REFUSED);
  assert.deepEqual(await granted(console, target), []);
});

Deno.test("a rogue server that passes on another's challenge gets nothing there", async () => {
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  let stolen: Uint8Array | undefined;
  const rogue = await ensemble.start("rogue");
  // In the place of its own control: what the console asks of it, it asks of the target.
  rogue.actors.find("server")!.exit();
  await eventually(() => rogue.actors.find("server") === undefined, "its control has ended");
  rogue.actors.serve("server", {
    challenge: ({ capabilities }: { capabilities: string[] }) =>
      controlClient(rogue.actors, target.id).challenge({ capabilities }),
    elevate: ({ signature }: { signature: Uint8Array }) => void (stolen = signature),
  });
  await elevated(console, rogue, "admin");
  await assert.rejects(answer(rogue, target, stolen!), REFUSED);
  assert.deepEqual(await granted(rogue, target), []);
});

Deno.test("a malformed signature grants nothing", async () => {
  const { ensemble, target } = await targetAndConsole();
  await using _ = ensemble;
  const responses: Record<string, unknown> = {
    nothing: undefined,
    null: null,
    "an empty one": new Uint8Array(),
    "a short one": new Uint8Array(63),
    "a long one": new Uint8Array(65),
    "a huge one": new Uint8Array(8 * 1024 * 1024),
    "zeroes": new Uint8Array(64),
    "a size": 64,
    "a size that no memory has": 2 ** 40,
    "a negative size": -1,
    "something with a length": { length: 2 ** 31 },
    "numbers": new Array(64).fill(0),
    "text": "x".repeat(64),
    "words of 16 bits": new Uint16Array(64),
  };
  await Promise.all(
    Object.entries(responses).map(async ([what, signature], i) => {
      const client = await ensemble.startRogue(`client${i}`);
      await challenged(client, target, "admin");
      const remoteName = signature instanceof Uint8Array && signature.length <= 64
        ? "NotAuthorizedError"
        : "InvalidInputError";
      await assert.rejects(answer(client, target, signature as Uint8Array), { remoteName }, what);
      assert.deepEqual(await granted(client, target), [], what);
    }),
  );
});

Deno.test("a response without a challenge is refused", async () => {
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  await assert.rejects(answer(console, target, new Uint8Array(64)), REFUSED);
});

Deno.test("elevate answers a refusal after a pause that doubles, up to eight seconds", async () => {
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  // Answered: the target has its session, too.
  assert.deepEqual(await granted(console, target), []);
  const session = target.session(console.id)!;
  const envelope = new Envelope({}, "server", refTo("console", "x"), 1, undefined, 1, true, false);
  envelope.session = session;
  const other = await ensemble.startRogue("other");
  assert.deepEqual(await granted(other, target), []);
  using clock = stopClock("setTimeout", "clearTimeout");
  for (const pause of [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]) {
    let answered = false;
    void target.elevations.elevate(envelope, new Uint8Array(64)).catch(() => answered = true);
    await clock.tickAsync(pause - 1);
    assert.equal(answered, false, `before ${pause} ms`);
    await clock.tickAsync(1);
    await eventually(() => answered);
  }
  // Others do not wait for it.
  await elevated(other, target, "shutdown");
  assert.deepEqual(await granted(other, target), ["shutdown"]);
});

Deno.test("elevate refuses an attempt while the one before is not over, and does not note it", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  await console.connect(target.id);
  {
    using clock = stopClock("setTimeout", "clearTimeout");
    const delays: (number | undefined)[] = [];
    const { setTimeout: onClock } = globalThis;
    globalThis.setTimeout = ((...args: Parameters<typeof setTimeout>) => {
      delays.push(args[1]);
      return onClock(...args);
    }) as typeof setTimeout;
    const attempt = () => answer(console, target, new Uint8Array(64));
    const first = attempt().catch(({ message }) => message);
    const others = Array.from({ length: 1_000 }, () => attempt().catch(({ message }) => message));
    const reasons = await Promise.all(others);
    const over = "target refuses to elevate console: another attempt is still pending";
    assert.deepEqual(reasons, Array(1_000).fill(over));
    // The others may be refused before it is known that the first is wrong.
    await eventually(() => delays.includes(250));
    clock.tick(250);
    assert.match(await first, /not a valid signature/);
  }
  assert.equal(logs.matching(/ audit: elevation refused /).length, 1);
  await elevated(console, target, "shutdown");
  assert.deepEqual(await granted(console, target), ["shutdown"]);
});

Deno.test("elevate grants nothing that was retracted meanwhile", async () => {
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  const signature = await signed(await challenged(console, target, "admin"));
  const session = target.session(console.id)!;
  const envelope = new Envelope({}, "server", refTo("console", "x"), 1, undefined, 1, true, false);
  envelope.session = session;
  const elevation = target.elevations.elevate(envelope, signature);
  target.capabilities.retract(console.id, session);
  await assert.rejects(elevation, /its capabilities were revoked meanwhile/);
  assert.deepEqual(await granted(console, target), []);
});

Deno.test("a challenge is for capabilities, and for nothing that looks like them", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  const control = controlClient(console.actors, target.id);
  const wrong: Record<string, unknown> = {
    "a text": "admin",
    "nothing": undefined,
    "none": [],
    "an object": { 0: "admin", length: 1 },
    "an empty one": [""],
    "capitals": ["Admin"],
    "two in one": ["admin shutdown"],
    "a line break": ["admin\n"],
    "one that starts with a dash": ["-admin"],
    "a long one": ["a".repeat(65)],
    "a huge one": ["a".repeat(1024 * 1024)],
    "a number": [7],
    "a bigint": [7n],
    "a set": [new Set(["admin"])],
    "a list": [["admin"]],
    "one of something else": ["shutdown", null],
    "10,000": Array.from({ length: 10_000 }, (_, i) => `c${i}`),
  };
  for (const [what, capabilities] of Object.entries(wrong)) {
    const error: Error = await control.challenge({ capabilities: capabilities as string[] })
      .then(() => assert.fail(what), (error) => error);
    assert.equal((error as { remoteName?: string }).remoteName, "InvalidInputError", what);
    assert.ok(error.message.length < 400, what);
  }
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  await assert.rejects(control.challenge({ capabilities: cyclic as string[] }), /not a capability/);
  assert.deepEqual(logs.complaints, []);
  // Once more than once is once.
  await elevated(console, target, "shutdown", "shutdown");
  assert.deepEqual(await granted(console, target), ["shutdown"]);
});

Deno.test("an elevation ends with its connection, though the instance is the same", async () => {
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  await using proxy = await Proxy.start({
    at: ensemble.socket("way"),
    target: ensemble.socket("target"),
  });
  await console.connect(target.id, [proxy.address]);
  await elevated(console, target, "admin");
  const { binding } = console.session(target.id)!;
  proxy.cut();
  await eventually(() => console.session(target.id) === undefined, "it is disconnected");
  await console.connect(target.id);
  assert.notDeepEqual(console.session(target.id)!.binding, binding);
  assert.deepEqual(await granted(console, target), []);
});

Deno.test("an elevation ends with its instance", async () => {
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  await elevated(console, target, "admin");
  await ensemble.stop(console);
  const again = await ensemble.startRogue("console");
  assert.deepEqual(await granted(again, target), []);
});

Deno.test("requests sent under an elevation are refused after it has ended", async () => {
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  const busy = Promise.withResolvers<void>();
  const judged: boolean[] = [];
  target.actors.serve("busy", {
    wait: () => busy.promise,
    note: (_request, context) => void judged.push(context.authorized("shutdown")),
  });
  await elevated(console, target, "shutdown");
  const actor = refTo(target.id, "busy");
  console.actors.tell(actor, { type: "wait" });
  console.actors.tell(actor, { type: "note" });
  await granted(console, target);
  await ensemble.stop(console);
  await eventually(() => target.session(console.id) === undefined, "it is disconnected");
  busy.resolve();
  await eventually(() => judged.length === 1, "it is judged");
  assert.deepEqual(judged, [false]);
});

Deno.test("elevations are in the audit log, allowed and refused", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  await elevated(console, target, "shutdown", "loader");
  await challenged(console, target, "admin");
  await assert.rejects(answer(console, target, new Uint8Array(64)), REFUSED);
  const admin = `who=admin:${await administratorFingerprint()} client=console transport=unix`;
  assert.deepEqual(logs.matching(/ audit: /), [
    `INFO audit: elevation allowed ${admin} capabilities=loader,shutdown`,
    `WARN audit: elevation refused ${admin} capabilities=admin`,
  ]);
});

Deno.test("a client that fails to unlock the key cancels its challenge", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  const unlock = () => Promise.reject(new Error("the passphrase is wrong"));
  await assert.rejects(
    elevate(console, target.id, { capabilities: ["shutdown"], unlock }),
    /the passphrase is wrong/,
  );
  assert.equal(logs.matching(/WARN audit: elevation refused .* client=console/).length, 1);
});

Deno.test("without an administrator there is nothing to elevate to, and it does no harm", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const target = await ensemble.start("target");
  const console = await ensemble.startConsole();
  await elevated(console, target, "admin");
  await controlClient(console.actors, target.id).elevate({ signature: new Uint8Array() });
  assert.deepEqual(logs.matching(/ audit: /), []);
});

Deno.test("elevate has nothing signed where the client may do all that already", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  await elevated(console, target, "admin");
  const unlock = () => assert.fail("the key is not needed");
  await elevate(console, target.id, { capabilities: ["loader", "jobs:run"], unlock });
  assert.equal(logs.matching(/ audit: /).length, 1);
});

Deno.test("elevate leaves a client as it is that has no key, and notes nothing", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  const unlock = () => Promise.resolve(undefined);
  await elevate(console, target.id, { capabilities: ["loader"], unlock });
  assert.deepEqual(await granted(console, target), []);
  assert.deepEqual(logs.matching(/ audit: /), []);
});

Deno.test("the audit log has the claimed user, marked as a claim, shortened and escaped", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, target, console } = await targetAndConsole();
  await using _ = ensemble;
  const unlock = () => Promise.resolve(undefined);
  const claim = (claimed: string) =>
    elevate(console, target.id, { capabilities: ["shutdown"], unlock, claimed });
  const refused = async () => {
    await assert.rejects(shutDownServer(console.actors, target.id), REFUSED);
    return logs.matching(/ audit: /).at(-1)!;
  };
  const who = `who=instance:${shortInstance(console.entry.instance)} client=console`;
  const rest = "transport=unix actor=server";
  await claim("alice@web1");
  assert.equal(await refused(), `WARN audit: shutdown refused ${who} claimed=alice@web1 ${rest}`);
  await claim('me who=admin:00\n\x1b[2J"\u202e');
  assert.equal(
    await refused(),
    `WARN audit: shutdown refused ${who} claimed=` +
      String.raw`"me who=admin:00\n\u001b[2J\"\u202e" ` + rest,
  );
  await claim("x".repeat(1_000_000));
  assert.match(await refused(), / claimed="x+\.\.\. 99\d+ more characters" /);
  assert.ok(logs.lines.every((line) => line.length < 400));
});
