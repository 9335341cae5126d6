import assert from "node:assert/strict";
import type {
  ActorList,
  ActorTreeAnswer,
  GroupMembers,
  LoadList,
  LogTail,
  ServerHistory,
} from "../../observer/page/page_protocol.ts";
import { CTRL_C, Terminal } from "../terminal.ts";
import { installAdministrator } from "./administrator.ts";
import { PageClient } from "./page_client.ts";
import { RunningEnsemble, type RunningProcess } from "./running_ensemble.ts";

const ANY_PORT = ["--listen", "127.0.0.1:0"];

/** Starts the observer, and opens its page. */
async function observe(ensemble: RunningEnsemble, ...options: string[]) {
  const observer = ensemble.spawn("observer", ...ANY_PORT, ...options);
  return { observer, page: await PageClient.open(await observer.printed("http://")) };
}

/** A program with actors that do what the test asks for. */
const BUSY = `
  import { currentServer } from "@gxensemble/ensemble";
  import { getLogger } from "npm:@logtape/logtape@^2.4.2";
  export async function main() {
    const server = currentServer();
    const slow = server.spawn("slow", (self) => self.loop([{
      match: (message) => message.type === "work",
      run: () => new Promise(() => {}),
    }]));
    server.serve("helper", {
      flood() {
        for (let i = 0; i < 50; i++) server.tell(slow, { type: "work" });
      },
      warn({ text }) {
        console.warn(text);
        getLogger(["shop"]).warn("it is {text}", { text });
      },
    });
    server.join("helpers", "helper");
    await server.stopped;
  }
`;

Deno.test("the observer shows what happens in the ensemble", async () => {
  await using ensemble = await RunningEnsemble.start();
  const web1 = await ensemble.startServer("web1", ["--roles", "web"]);
  await ensemble.startServer("web2", ["--roles", "web"]);
  const { page: opened } = await observe(ensemble);
  await using page = opened;
  const ids = ["registry", "web1", "web2"];
  await page.until(() => ids.every((id) => page.servers.get(id)?.status), "all figures");
  const shown = page.servers.get("web1")!;
  assert.deepEqual([shown.state, shown.roles, shown.pid], ["up", ["web"], web1.pid]);
  assert.equal(shown.deno, Deno.version.deno);
  assert.ok(shown.status!.memory!.rss > 1_000_000);
  assert.equal(page.servers.get("registry")!.isRegistry, true);
  await page.until(() => page.connections.has("registry web1"), "the connection");
  assert.equal(page.connections.get("registry web1")!.kind, "unix");
  assert.ok(![...page.connections.keys()].some((key) => key.includes("console")));

  const file = await ensemble.write("greeting.js", "export const greeting = 'hello';");
  await ensemble.lines("load", "-f", "web2", file);
  const hashes = () => page.servers.get("web2")!.modules.map(({ hash }) => hash);
  await page.until(
    () => page.timeline.some(({ server, change }) => server === "web2" && change === "loaded"),
    "the load",
  );
  assert.equal(hashes().length, 2, "the program and the module");
  const { loads } = await page.ask<LoadList>("servers/web2/loads");
  assert.deepEqual(loads.map(({ hash, current }) => [hash, current]), [
    [
      page.servers.get("web2")!.modules.find(({ module }) => module.includes("greeting"))!.hash,
      true,
    ],
  ]);

  web1.signal("SIGKILL");
  await page.until(
    () => ["unreachable", "gone"].includes(page.servers.get("web1")!.state),
    "that web1 is gone",
  );
  await page.until(() => !page.connections.has("registry web1"), "the closed connection");
  await ensemble.startServer("web3");
  await page.until(() => page.servers.get("web3")?.status, "a server that has started since");
  await page.until(
    () => page.timeline.some(({ server, change }) => server === "web3" && change === "up"),
    "that it is up",
  );
});

Deno.test("the observer shows actors, groups, logs and history of a server", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.startServer("busy", [], BUSY);
  const { page: opened } = await observe(ensemble);
  await using page = opened;
  await page.until(() => page.servers.get("busy")?.status, "the figures");

  await ensemble.lines("call", "helper@busy", "flood");
  await page.until(
    () => (page.servers.get("busy")!.status!.longestMailboxes?.[0]?.length ?? 0) > 40,
    "the mailbox",
  );
  assert.equal(page.servers.get("busy")!.status!.longestMailboxes![0]!.actor, "slow");
  const { actors, total } = await page.ask<ActorList>("servers/busy/actors?sort=mailbox&limit=1");
  assert.deepEqual([actors.map(({ name }) => name), total > 3], [["slow"], true]);
  assert.ok(actors[0]!.mailbox > 40);
  const named = await page.ask<ActorList>("servers/busy/actors?sort=name");
  assert.equal(named.actors[0]!.name, "helper");
  const { tree, isCut } = await page.ask<ActorTreeAnswer>("servers/busy/tree");
  assert.ok(tree.some(({ name }) => name === "helper") && !isCut);
  const members = await page.ask<GroupMembers>("groups/helpers");
  assert.deepEqual(members.members.map(({ server }) => server), ["busy"]);

  await ensemble.lines("call", "helper@busy", "warn", "text=<b>\u001b[31mred</b>");
  await page.until(() => page.logs.some(({ category }) => category === "shop"), "the warning");
  const record = page.logs.find(({ category }) => category === "shop")!;
  assert.match(record.message, /<b>\\u001b\[31mred<\/b>/, "no control character stays");
  const first = await page.ask<LogTail>("servers/busy/logs?category=shop");
  assert.deepEqual(first.records.map(({ message }) => message), [record.message]);
  const next = `servers/busy/logs?category=shop&after=${encodeURIComponent(first.next)}`;
  assert.deepEqual((await page.ask<LogTail>(next)).records, []);

  await page.until(() => page.servers.get("busy")!.status, "the history");
  const { at, columns } = await page.ask<ServerHistory>("servers/busy/history");
  assert.ok(Object.values(columns).every((column) => column.length === at.length));

  assert.match(await page.failure("servers/none/tree"), /no server none is shown/);
  assert.match(await page.failure("servers/..%2f/tree"), /not a server id/);
  assert.match(await page.failure("servers/busy/actors?sort=age"), /cannot sort by age/);
});

Deno.test("the observer waits for a registry that has gone", async () => {
  await using ensemble = new RunningEnsemble();
  assert.equal((await ensemble.run("cookie")).code, 0);
  const registry = await ensemble.startRegistry();
  await ensemble.startServer("a");
  const { page: opened } = await observe(ensemble);
  await using page = opened;
  await page.until(() => page.servers.get("a")?.status, "its figures");
  await registry.kill();
  await page.until(() => page.registryError, "that the registry is lost");
  const before = page.servers.get("a")!.status!.at;
  await page.until(() => page.servers.get("a")!.status!.at > before, "news of the server");
  await ensemble.startRegistry();
  await page.until(() => !page.registryError, "that it is back");
});

Deno.test("the observer is refused wrong addresses, and actions without a terminal", async () => {
  await using ensemble = await RunningEnsemble.start();
  const wrong = await ensemble.run("observer", "--listen", "0.0.0.0:4040");
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /other hosts could connect to 0\.0\.0\.0:4040.*ssh -L/);
  assert.match(
    await ensemble.failure("observer", ...ANY_PORT, "--allow-actions"),
    /--allow-actions needs a terminal/,
  );
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const taken = `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  assert.match(await ensemble.failure("observer", "--listen", taken), /cannot listen at .*:0$/);
  listener.close();
});

/** The lines of an audit log, without what differs. */
function audit(process: RunningProcess): string[] {
  return process.matching(/ audit: /).map((line) => / audit: (\S+ \S+)/.exec(line)![1]!);
}

Deno.test("the observer asks an administrator's passphrase at its start, for observer only", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.run("cookie");
  const { right, wrong } = await installAdministrator(ensemble);
  await ensemble.startRegistry();
  const server = await ensemble.startServer("a");
  assert.match(
    await ensemble.failure("observer", ...ANY_PORT, ...wrong),
    /passphrase/,
  );
  const { page: opened } = await observe(ensemble, ...right);
  await using page = opened;
  await page.until(() => page.servers.get("a")?.status, "its figures");
  const before = page.servers.get("a")!.status!.at;
  await page.until(() => page.servers.get("a")!.status!.at > before, "newer figures");
  await server.logged(/ audit: status allowed/);
  assert.equal(audit(server).filter((line) => line === "status allowed").length, 1);
  assert.deepEqual(server.matching(/ audit: elevation/).length, 1, server.log.join("\n"));
  assert.match(server.matching(/ audit: elevation/)[0]!, /observer/);
});

Deno.test("the observer says which servers refuse it without the administrators' key", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.run("cookie");
  await installAdministrator(ensemble);
  await ensemble.startRegistry();
  await ensemble.startServer("a");
  await Deno.remove(`${ensemble.places.gerbilPath}/ensemble/admin.priv`);
  const { page: opened } = await observe(ensemble);
  await using page = opened;
  await page.until(() => page.servers.get("a")?.error, "the refusal");
  assert.match(page.servers.get("a")!.error!, /capability observer/);
  assert.equal(page.servers.get("a")!.state, "up");
});

Deno.test("the observer does what the page asks for when it is confirmed in the terminal", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.run("cookie");
  const { right } = await installAdministrator(ensemble);
  await ensemble.startRegistry();
  const server = await ensemble.startServer("busy", [], BUSY);
  const file = await ensemble.write("greeting.js", "export const greeting = 'hello';");
  await ensemble.lines("load", "-f", ...right, "busy", file);
  await ensemble.write("greeting.js", "export const greeting = 'good day';");
  await ensemble.lines("load", "-f", ...right, "busy", file);
  await using terminal = new Terminal(ensemble.places, [
    ...ensemble.places.program,
    ...["observer", ...ANY_PORT, ...right, "--allow-actions"],
  ], { columns: 200 });
  const url = await terminal.find(/http:\S+/);
  await using page = await PageClient.open(url);
  await page.until(() => page.servers.get("busy")?.status, "the figures");
  const { tree } = await page.ask<ActorTreeAnswer>("servers/busy/tree");
  const { serial } = tree.find(({ name }) => name === "helper")!;

  const declined = page.act({ action: "shut-down-actor", server: "busy", actor: serial });
  await terminal.shows(`shut down the actor helper (${serial}) of busy`);
  terminal.type("n\r");
  await terminal.shows("do it? No");
  assert.deepEqual(await declined, { outcome: "declined", message: "the operator declined" });

  const unknown = page.act({ action: "go-back", server: "busy", load: "none" });
  assert.match((await unknown).message, /no such load/);
  const interrupted = page.act({ action: "set-log-level", server: "busy", level: "error" });
  await terminal.shows("set the log level of busy to error");
  terminal.type(CTRL_C);
  assert.equal((await interrupted).outcome, "declined");

  const done = page.act({ action: "shut-down-actor", server: "busy", actor: serial });
  await terminal.shows(`shut down the actor helper (${serial}) of busy`);
  terminal.type("y\r");
  await terminal.shows("do it? Yes");
  assert.equal((await done).outcome, "done");
  assert.deepEqual(await ensemble.lines("list-actors", "busy"), [
    "loader",
    "observer",
    "registration",
    "server",
    "slow",
  ]);
  await server.logged(/ audit: shutdown allowed/);

  const level = page.act({
    action: "set-log-level",
    server: "busy",
    level: "debug",
    category: "shop",
  });
  await terminal.shows("set the log level of shop in busy to debug");
  terminal.type("y\r");
  await terminal.shows("do it? Yes");
  assert.equal((await level).outcome, "done");

  const { loads } = await page.ask<LoadList>("servers/busy/loads");
  const back = page.act({ action: "go-back", server: "busy", load: loads[0]!.id });
  await terminal.shows("go back in busy from");
  terminal.type("y\r");
  assert.equal((await back).outcome, "done");
  await page.until(
    () => page.timeline.some(({ change }) => change === "went back"),
    "that it went back",
  );
  assert.equal(page.timeline.filter(({ change }) => change === "action").length, 6);

  const essential = await page.act({ action: "shut-down-actor", server: "busy", actor: "loader" });
  assert.equal(essential.outcome, "failed");
  assert.match(essential.message, /a part of its server/);
  const consoles = (await ensemble.lines("list-connections", "busy"))
    .filter((line) => line.includes("console"));
  assert.equal(consoles.length, 1, "only the observer's own connection is open");
});
