import assert from "node:assert/strict";
import { freePort } from "../free_port.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

Deno.test("servers are found, listed and pinged in the documented form, and as JSON", async () => {
  await using ensemble = await RunningEnsemble.start();
  const [httpd1, httpd2] = await Promise.all([
    ensemble.startServer("httpd1", ["--roles", "(httpd)"]),
    ensemble.startServer("httpd2", ["--roles", "httpd,web"]),
  ]);
  const at = (id: string) => `(unix: "${Deno.hostname()}" "${ensemble.socket(id)}")`;
  const url = (id: string) => `unix:${ensemble.socket(id)}`;
  const json = async (...args: string[]) =>
    JSON.parse((await ensemble.lines(...args, "--json")).join("\n"));
  const servers = async (...args: string[]) => {
    const entries = await json(...args);
    // deno-lint-ignore no-explicit-any -- any JSON
    return entries.map(({ instance, started, leaseLeft, revision, version, ...rest }: any) => {
      // Made anew at each start.
      assert.match(instance, /^[0-9a-f]{64}$/);
      if (rest.server === "registry") return rest;
      assert.ok(Date.now() - Date.parse(started) < 60_000, started);
      assert.ok(leaseLeft > 0 && leaseLeft <= 15_000, leaseLeft);
      assert.ok(revision > 0, revision);
      assert.match(version, /\d/);
      return rest;
    });
  };
  const sockets = (id: string) => {
    const { dev: device, ino: inode } = Deno.statSync(ensemble.socket(id));
    return [{ path: ensemble.socket(id), device, inode }];
  };
  const entry1 = {
    server: "httpd1",
    state: "up",
    roles: ["httpd"],
    groups: {},
    addresses: [url("httpd1")],
    sockets: sockets("httpd1"),
    pid: httpd1.pid,
    host: Deno.hostname(),
  };
  const entry2 = {
    server: "httpd2",
    state: "up",
    roles: ["httpd", "web"],
    groups: {},
    addresses: [url("httpd2")],
    sockets: sockets("httpd2"),
    pid: httpd2.pid,
    host: Deno.hostname(),
  };

  // Only one command, since a running command has its own connection.
  assert.deepEqual(await ensemble.lines("list-connections", "httpd1"), [
    `(registry ${at("registry")})`,
  ]);
  const [connection, ...others] = await json("list-connections", "httpd1");
  const { since, received, sent, ...constant } = connection;
  assert.deepEqual([constant, others], [
    { server: "registry", address: url("registry"), waiting: 0 },
    [],
  ]);
  assert.ok(received.messages > 0 && sent.bytes > sent.messages, JSON.stringify(connection));
  const [row] = await ensemble.lines("list-connections", "--long", "httpd1");
  const cells = row!.split("\t");
  assert.deepEqual(cells.slice(0, 2), ["registry", since.replace(/\.\d+Z$/, "Z")]);
  assert.deepEqual(cells.slice(6), ["0", url("registry")]);
  assert.ok(cells.slice(2, 6).every((cell) => Number(cell) > 0), row);

  await Promise.all([
    (async () => {
      assert.deepEqual(await ensemble.lines("lookup", "--role", "httpd"), [
        `(httpd1 ${at("httpd1")})`,
        `(httpd2 ${at("httpd2")})`,
      ]);
      assert.deepEqual(await ensemble.lines("lookup", "httpd2"), [`(httpd2 ${at("httpd2")})`]);
      assert.equal(
        await ensemble.failure("lookup", "--role", "htpd", "--json"),
        "no server with the role htpd is registered; did you mean --role httpd?",
      );
      assert.equal(
        await ensemble.failure("lookup", "httpd"),
        "no server httpd is registered; did you mean --role httpd, httpd1 or httpd2?",
      );
      assert.deepEqual(await servers("lookup", "--role", "httpd"), [entry1, entry2]);
      assert.deepEqual(await servers("lookup", "httpd1"), [entry1]);
    })(),
    (async () => {
      assert.deepEqual(await ensemble.lines("list-servers"), [
        `(httpd1 (httpd) ${at("httpd1")})`,
        `(httpd2 (httpd web) ${at("httpd2")})`,
        `(registry () ${at("registry")})`,
      ]);
      const listed = await servers("list-servers");
      assert.deepEqual(listed.slice(0, 2), [entry1, entry2]);
      assert.equal(listed[2].server, "registry");
      const actors = ["loader", "observer", "registration", "server"];
      assert.deepEqual(await ensemble.lines("list-actors", "httpd1"), actors);
      assert.deepEqual(await json("list-actors", "httpd1"), actors);
    })(),
    (async () => {
      assert.deepEqual(await ensemble.lines("ping", "httpd1"), ["OK"]);
      assert.deepEqual(await ensemble.lines("ping", "httpd1", "loader"), ["OK"]);
      assert.deepEqual(await ensemble.lines("ping", "registry", "registry"), ["OK"]);
      assert.deepEqual(await json("ping", "httpd1", "loader"), {
        server: "httpd1",
        actor: "loader",
        result: "OK",
      });
      assert.deepEqual(await json("ping", "httpd1"), {
        server: "httpd1",
        actor: null,
        result: "OK",
      });
      assert.equal(
        await ensemble.failure("ping", "httpd1", "nosuch"),
        "unknown actor: nosuch@httpd1",
      );
      assert.equal(
        await ensemble.failure("ping", "nosuch"),
        "cannot reach nosuch: no server nosuch is registered",
      );
      const unknown = "cannot reach http1: no server http1 is registered; did you mean httpd1";
      for (const args of [["shutdown", "http1"], ["eval", "http1", "1"]]) {
        assert.equal(await ensemble.failure(...args), `${unknown}?`);
      }
    })(),
  ]);
});

Deno.test("without a registry the error names the address tried, and how to start one", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.run("cookie");
  const registry = `cannot reach registry: unix:${ensemble.socket("registry")}: no such socket; ` +
    "start a registry with: gxensemble registry";
  const program = await ensemble.write("main.ts", "export const main = () => {};");
  const tries: [args: string[], reason: string][] = [
    [["ping", "httpd1"], `cannot reach httpd1: ${registry}`],
    [["ping", "registry"], registry],
    [["list-servers"], registry],
    [["lookup", "httpd1"], registry],
    [["lookup", "--role", "httpd"], registry],
    [["eval", "httpd1", "1"], `cannot reach httpd1: ${registry}`],
    [["shutdown", "-f"], registry],
  ];
  await Promise.all(tries.map(async ([args, reason]) => {
    assert.equal(await ensemble.failure(...args), reason);
  }));
  const { code, stdout, stderr } = await ensemble.run("run", "a", program);
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
  assert.ok(stderr.endsWith(`gxensemble: error: ${registry}\n`), stderr);
  assert.deepEqual(ensemble.sockets(), []);

  // The error names every address that was tried, and only the given ones are tried.
  const elsewhere = ["tcp://127.0.0.1:1", "tcp://127.0.0.1:2"];
  assert.equal(
    await ensemble.failure("list-servers", ...elsewhere.flatMap((url) => ["--registry", url])),
    `cannot reach registry: ${elsewhere.map((url) => `${url}: connection refused`).join("; ")}; ` +
      `start a registry there with: gxensemble registry ${
        elsewhere.map((url) => `-l ${url}`).join(" ")
      }`,
  );
});

Deno.test("without a cookie the error says how to make one", async () => {
  await using ensemble = new RunningEnsemble();
  const program = await ensemble.write("main.ts", "export const main = () => {};");
  const tries = [["ping", "a"], ["registry"], ["run", "a", program], ["shutdown", "-f"]];
  await Promise.all(tries.map(async (args) => {
    const reason = await ensemble.failure(...args);
    assert.match(reason, /^no cookie at \S+\/ensemble\/cookie: make one with "gxensemble cookie"/);
  }));
});

Deno.test("with another ensemble's cookie the error says so, and does not suggest a new registry", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.run("cookie", "-f");
  assert.match(
    await ensemble.failure("list-servers"),
    /^cannot reach registry: unix:\S+: authentication failed between registry and console-\S+: their cookies differ$/,
  );
});

Deno.test("of several registry addresses, wherever they are given, one that answers is used", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.run("cookie");
  const live = `tcp://127.0.0.1:${freePort()}`;
  await ensemble.startRegistry("-l", live);
  await ensemble.startServer("httpd1");
  // It accepts in its backlog, and says nothing.
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const all = ["tcp://127.0.0.1:1", `tcp://127.0.0.1:${silent.addr.port}`, live];
  assert.deepEqual(await ensemble.lines("ping", "--registry", all.join(" "), "httpd1"), ["OK"]);
  const { environment } = ensemble.places;
  environment.ENSEMBLE_REGISTRY = all.join(" ");
  assert.deepEqual(await ensemble.lines("ping", "httpd1"), ["OK"]);
  delete environment.ENSEMBLE_REGISTRY;
  await ensemble.lines("env", "known-servers", "--set", "registry", ...all);
  assert.deepEqual(await ensemble.lines("ping", "httpd1"), ["OK"]);
  assert.deepEqual(await ensemble.listed(), ["httpd1", "registry"]);
});
