import assert from "node:assert/strict";
import { startServer } from "@gxensemble/ensemble";
import { RunningEnsemble } from "./running_ensemble.ts";

/** A worker whose requests take a while. It is found by its role and by its group. */
const WORKER = `
  import { currentServer } from "@gxensemble/ensemble";
  const server = currentServer();
  export function main() {
    const released = Promise.withResolvers();
    const worker = server.serve("worker", {
      async work() {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return server.id;
      },
      async hang() {
        await released.promise;
        return server.id;
      },
      release: () => released.resolve(),
    }, { concurrent: true });
    server.join("workers", worker);
    return server.stopped;
  }
`;

const WORK = { type: "work" };

/** Asks without a pause until it is stopped, and counts who answers. */
class Load {
  readonly answers = new Map<string, number>();
  readonly failures: unknown[] = [];
  readonly #askers: Promise<void>[];
  #isOn = true;

  constructor(count: number, ask: () => Promise<string>) {
    this.#askers = Array.from({ length: count }, () => this.#run(ask));
  }

  get total(): number {
    return [...this.answers.values()].reduce((sum, count) => sum + count, 0);
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#askers);
  }

  async #run(ask: () => Promise<string>): Promise<void> {
    while (this.#isOn) {
      try {
        const id = await ask();
        this.answers.set(id, (this.answers.get(id) ?? 0) + 1);
      } catch (error) {
        this.failures.push(error);
      }
    }
  }
}

async function eventually(condition: () => boolean, what: string): Promise<void> {
  const late = performance.now() + 20_000;
  while (!condition()) {
    assert.ok(performance.now() < late, `never ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test("shutdown --drain loses no request of those that find a server by its role or group", async () => {
  await using ensemble = await RunningEnsemble.start();
  const [w1] = await Promise.all(
    ["w1", "w2", "w3"].map((id) => ensemble.startServer(id, ["--roles", "worker"], WORKER)),
  );
  const { gerbilPath, socketDirectory } = ensemble.places;
  await using client = await startServer({
    directory: `${gerbilPath}/ensemble`,
    socketDirectory,
    registry: [],
    log: false,
  });
  let turn = 0;
  const askByRole = async () => {
    const found = await client.lookup({ role: "worker" });
    return await client.ask<string>(`worker@${found[turn++ % found.length]!.id}`, WORK);
  };
  const loads = [
    new Load(8, askByRole),
    new Load(8, () => client.askAny<string>("workers", WORK)),
  ];
  const everyone = () => loads.every(({ answers }) => answers.size === 3);
  await eventually(everyone, "all three answer");

  assert.deepEqual(await ensemble.lines("drain", "w2"), ["... drained w2"]);
  const before = loads.map(({ answers }) => answers.get("w2")!);
  const totals = loads.map(({ total }) => total);
  await eventually(() => loads.every(({ total }, at) => total > totals[at]! + 40), "work goes on");
  assert.deepEqual(loads.map(({ answers }) => answers.get("w2")!), before, "w2 gets nothing new");
  assert.equal(await client.ask("worker@w2", WORK), "w2", "but what is for it");

  assert.deepEqual(await ensemble.lines("shutdown", "--drain", "w1"), []);
  assert.equal(await w1!.exit(), 0);
  await ensemble.lines("undrain", "w2");
  const after = loads.map(({ answers }) => answers.get("w2")!);
  await eventually(
    () => loads.every(({ answers }, at) => answers.get("w2")! > after[at]!),
    "w2 is back",
  );
  await Promise.all(loads.map((load) => load.stop()));
  assert.deepEqual(loads.flatMap(({ failures }) => failures), []);
});

Deno.test("drain waits for requests, says for which, and leaves the server draining", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.startServer("w1", [], WORKER);
  const hanging = ensemble.run("call", "--timeout", "60", "worker@w1", "hang");
  const state = async () => {
    const json = await ensemble.lines("lookup", "--json", "w1");
    return JSON.parse(json.join(""))[0].state;
  };
  const isBusy = "ensemble.actors.busyServices().length";
  const late = performance.now() + 10_000;
  while ((await ensemble.lines("eval", "w1", isBusy))[0] !== "1") {
    assert.ok(performance.now() < late, "never busy");
  }
  assert.equal(
    await ensemble.failure("drain", "--timeout", "0.5", "w1"),
    "w1 is not drained after 0.5 s: these services are busy: worker (1 unanswered)",
  );
  assert.equal(await state(), "draining");
  assert.equal(
    await ensemble.failure("shutdown", "--drain", "--timeout", "0.5", "w1"),
    "w1 is not drained after 0.5 s: these services are busy: worker (1 unanswered)",
  );
  assert.deepEqual(await ensemble.lines("undrain", "w1"), ["... w1 takes work again"]);
  assert.equal(await state(), "up");
  assert.deepEqual(await ensemble.lines("drain", "--no-wait", "w1"), ["... draining w1"]);
  const drain = ensemble.spawn("drain", "w1");
  await drain.logged(/^w1 is draining; these services are busy: worker \(1 unanswered\)$/);
  await ensemble.lines("call", "worker@w1", "release");
  assert.equal(await drain.exit(), 0);
  assert.deepEqual(drain.output, ["... drained w1"]);
  assert.equal((await hanging).stdout, '"w1"\n');
  for (const args of [["shutdown", "--drain"], ["shutdown", "--drain", "w1", "worker"]]) {
    assert.equal((await ensemble.run(...args)).code, 2, args.join(" "));
  }
  assert.match(await ensemble.failure("drain", "registry"), /^a registry cannot be drained: /);
});
