import assert from "node:assert/strict";
import fc from "npm:fast-check@^4.10.2";
import {
  formatProblem,
  parseConfiguration,
  readConfiguration,
  wrongConfiguration,
} from "../../../supervisor/configuration/configuration_reading.ts";
import { EVERY_HOST, MAX_CONFIGURATION } from "../../../supervisor/configuration/configuration.ts";
import { ConfigurationDirectory } from "./configuration_directory.ts";
import { MISTAKES } from "./mistakes.ts";

const SMALLEST =
  '{"registry": true, "roles": {"shop": {"module": "svc.ts", "restart": "permanent"}}, "servers": {"shop1": {"role": "shop", "args": ["8080"]}}}';

const environment = { PORT: "8080", EMPTY: "" };

for (const { name, text, reported } of MISTAKES) {
  Deno.test(`parseConfiguration reports ${name}`, async () => {
    using directory = new ConfigurationDirectory();
    const { configuration, problems } = await directory.read(text, environment);
    const found = problems.map((problem) =>
      formatProblem("", problem).slice(1).replaceAll(directory.path, "<dir>")
    );
    assert.deepEqual(found, reported);
    const isUsable = problems.every(({ severity }) => severity === "warning");
    assert.equal(configuration !== undefined, isUsable);
  });
}

Deno.test("parseConfiguration fills in the smallest configuration", async () => {
  using directory = new ConfigurationDirectory();
  const { configuration, problems } = await directory.read(SMALLEST);
  assert.deepEqual(problems, []);
  const { registry, servers, workers, roles, supervisor } = configuration!;
  assert.equal(registry?.id, "registry");
  assert.equal(registry?.store, "sqlite:");
  const [shop1] = servers;
  assert.equal(servers.length, 1);
  assert.equal(shop1!.id, "shop1");
  assert.deepEqual(shop1!.program, { kind: "module", path: `${directory.path}/svc.ts` });
  assert.deepEqual(shop1!.args, ["8080"]);
  assert.deepEqual(shop1!.roles, ["shop"]);
  assert.equal(shop1!.workingDirectory, directory.path);
  assert.deepEqual(shop1!.stop, { signal: "SIGTERM", killAfter: 10_000 });
  assert.deepEqual(shop1!.restart, {
    policy: "permanent",
    backoff: { min: 1_000, max: 30_000, factor: 2 },
    intensity: { restarts: 5, within: 60_000 },
    resetAfter: 60_000,
  });
  assert.deepEqual([workers, Object.keys(roles)], [[], ["shop"]]);
  assert.deepEqual([supervisor.executor, supervisor.filesystem], [false, false]);
});

Deno.test("parseConfiguration merges the fields of a server into those of its role", async () => {
  using directory = new ConfigurationDirectory();
  const { configuration, problems } = await directory.read({
    roles: {
      shop: {
        module: "svc.ts",
        args: ["1"],
        env: { A: "1", B: "1" },
        log: { level: "warn", format: "json" },
        restart: { policy: "transient", backoff: { min: "2s" } },
        health: { expression: "isWell()", interval: "1m" },
        grace: "20s",
      },
    },
    servers: {
      a: { role: "shop" },
      b: {
        role: "shop",
        args: [],
        env: { B: "2" },
        log: { level: "DEBUG" },
        restart: "permanent",
        health: { ping: true, failures: 1 },
      },
      c: { role: "shop", executable: "tool", health: false, loader: false },
    },
  });
  assert.deepEqual(problems, []);
  const [a, b, c] = configuration!.servers;
  assert.deepEqual(a!.health, {
    expression: "isWell()",
    interval: 60_000,
    timeout: 5_000,
    failures: 3,
    startAfter: 60_000,
  });
  assert.equal(a!.stop.killAfter, 25_000);
  assert.deepEqual(b!.args, []);
  assert.deepEqual(b!.env, { A: "1", B: "2" });
  assert.deepEqual(b!.log, { level: "debug", format: "json", file: undefined });
  assert.equal(b!.restart.policy, "permanent");
  assert.equal(b!.restart.backoff.min, 2_000);
  assert.equal(b!.health?.expression, undefined);
  assert.equal(b!.health?.interval, 60_000);
  assert.deepEqual(c!.program, { kind: "executable", path: `${directory.path}/tool` });
  assert.equal(c!.health, undefined);
});

Deno.test("parseConfiguration numbers workers, and finds the servers of a role in after", async () => {
  using directory = new ConfigurationDirectory();
  const { configuration, problems } = await directory.read({
    roles: {
      db: { module: "svc.ts" },
      web: { module: "svc.ts", after: ["db", "registry"] },
      worker: { module: "svc.ts", after: ["web"] },
    },
    servers: { db2: { role: "db" }, db1: { role: "db" }, web1: { role: "web" } },
    workers: [{ role: "worker", prefix: "worker", count: 3 }, {
      role: "db",
      prefix: "x",
      count: 0,
    }],
  });
  assert.deepEqual(problems, []);
  const { servers, workers } = configuration!;
  assert.deepEqual(servers.map(({ id }) => id), [
    ...["db2", "db1", "web1", "worker-0", "worker-1", "worker-2"],
  ]);
  const after = Object.fromEntries(servers.map(({ id, after }) => [id, after]));
  assert.deepEqual(after.web1, ["db1", "db2"]);
  assert.deepEqual(after["worker-2"], ["web1"]);
  assert.deepEqual(workers[0], { role: "worker", prefix: "worker", count: 3, hosts: undefined });
});

Deno.test("parseConfiguration tells each server which capabilities others have in it", async () => {
  using directory = new ConfigurationDirectory();
  const { configuration, problems } = await directory.read({
    roles: {
      web: { module: "svc.ts", capabilities: { given: { deployer: ["loader"] } } },
      keeper: {
        module: "svc.ts",
        capabilities: { granted: { "role:web": ["shutdown"], keeper1: ["observer"] } },
      },
    },
    servers: {
      web1: { role: "web", capabilities: { given: { "role:keeper": ["jobs:run"] } } },
      keeper1: { role: "keeper" },
      keeper2: { role: "keeper" },
    },
  });
  assert.deepEqual(problems, []);
  const [web1, keeper1] = configuration!.servers;
  assert.deepEqual(web1!.capabilities, {
    deployer: ["loader"],
    keeper1: ["jobs:run", "shutdown"],
    keeper2: ["jobs:run", "shutdown"],
  });
  assert.deepEqual(keeper1!.capabilities, { keeper1: ["observer"], keeper2: ["observer"] });
  assert.deepEqual(configuration!.roles.web!.capabilities, {
    deployer: ["loader"],
    keeper1: ["shutdown"],
    keeper2: ["shutdown"],
  });
});

Deno.test("parseConfiguration expands variables in texts, numbers and flags", async () => {
  using directory = new ConfigurationDirectory();
  const { configuration, problems } = await directory.read({
    roles: { web: { module: "${MODULE:-svc.ts}", env: { PRICE: "$${a}$1" } } },
    servers: {
      web1: {
        role: "web",
        args: ["${PORT}", "${EMPTY}", "${EMPTY:-none}", "a${PORT}b${PORT}"],
        enabled: "${ON:-false}",
        start: { timeout: "${SECONDS:-5}s" },
        log: { level: "${LEVEL:-error}" },
        http: "${PORT}",
      },
    },
    workers: [{ role: "web", prefix: "w", count: "${COUNT:-2}" }],
  }, environment);
  assert.deepEqual(problems, []);
  const [web1, ...workers] = configuration!.servers;
  assert.deepEqual(web1!.args, ["8080", "", "none", "a8080b8080"]);
  assert.deepEqual(web1!.env, { PRICE: "${a}$1" });
  assert.equal(web1!.enabled, false);
  assert.equal(web1!.start.timeout, 5_000);
  assert.equal(web1!.log.level, "error");
  assert.equal(web1!.http, "8080");
  assert.equal(workers.length, 2);
});

Deno.test("parseConfiguration looks at files and variables only of servers of this host", async () => {
  using directory = new ConfigurationDirectory();
  const fields = { module: "gone.ts", args: ["${GONE}"], listen: ["tcp://${GONE}:1"] };
  const text = (host: string) => ({
    roles: { there: fields, here: { module: "svc.ts" } },
    servers: {
      a: { role: "there", host },
      b: { role: "here", ...fields, host },
    },
    registry: {
      host: [host, "host3"],
      store: "etcd://a:1/e",
      storeCa: "gone.pem",
      listen: ["tcp://${GONE}:2"],
    },
  });
  const other = await directory.read(text("host2"));
  assert.deepEqual(other.problems, []);
  assert.deepEqual(other.configuration!.servers.map(({ hosts }) => hosts), [["host2"], ["host2"]]);
  const own = await directory.read(text("host1"));
  assert.deepEqual(own.problems.map(({ path }) => path), [
    "roles.there.module",
    "roles.there.args[0]",
    "roles.there.listen[0]",
    "servers.b.module",
    "servers.b.args[0]",
    "servers.b.listen[0]",
    "registry.storeCa",
    "registry.listen[0]",
  ]);
});

/** Reads a configuration as `gxensemble dev` does. */
async function readForDevelopment(
  directory: ConfigurationDirectory,
  { file, servers }: { readonly file: object; readonly servers?: readonly string[] },
) {
  const { problems, files } = await parseConfiguration(JSON.stringify(file), {
    path: directory.file,
    host: EVERY_HOST,
    servers,
    environment: {},
    directory: directory.path,
  });
  const found = problems.filter(({ severity }) => severity === "error")
    .map(({ path, message }) => `${path}: ${message}`.replaceAll(directory.path, "<dir>"));
  return { found, files: files.map((path) => path.replace(directory.path, "<dir>")) };
}

Deno.test("parseConfiguration looks for development only at what is used there", async () => {
  using directory = new ConfigurationDirectory();
  const file = {
    registry: { host: "${HOST}", http: 0, httpToken: "none", storePasswordFile: "none" },
    supervisor: { http: 0, httpToken: "none", listen: ["tcp://${ADDRESS}:1"] },
    roles: {
      shop: { module: "svc.ts", listen: ["tcp://${ADDRESS}:2"], log: { file: "${FILE}" } },
      unused: { module: "none.ts", args: ["${NAME}"] },
    },
    servers: {
      a: { role: "shop", host: "${HOST}", user: "no-such-user", memoryLimit: "${LIMIT}" },
      off: {
        role: "shop",
        enabled: false,
        http: 0,
        httpToken: "secret.txt/none",
        args: ["${ARG}"],
      },
    },
  };
  assert.deepEqual(await readForDevelopment(directory, { file }), {
    found: [],
    files: ["<dir>/svc.ts"],
  });
  const { found, files } = await readForDevelopment(directory, { file, servers: ["off"] });
  assert.equal(found.length, 2, found.join("\n"));
  assert.match(found[0]!, /^servers\.off\.httpToken: /);
  assert.match(found[1]!, /^servers\.off\.args\[0\]: the environment variable ARG is not set/);
  assert.deepEqual(files, ["<dir>/svc.ts", "<dir>/secret.txt/none"]);
});

Deno.test("parseConfiguration reports servers of different hosts that would have one port in development", async () => {
  using directory = new ConfigurationDirectory();
  const file = {
    registry: { http: 9100, host: "host1" },
    supervisor: { http: 9100 },
    roles: { shop: { module: "svc.ts", listen: ["tcp://127.0.0.1:4001"], http: 9100 } },
    servers: {
      a: { role: "shop", host: "host1" },
      b: { role: "shop", host: "host2" },
      c: { role: "shop", host: "host3", http: 9101 },
      d: { role: "shop", host: "host3", http: "127.0.0.1:9101", enabled: false },
      e: { role: "shop", host: "host4" },
    },
  };
  const advice = " on this host, where gxensemble dev runs the servers of all hosts: give each a " +
    "port of its own, or name the servers to run";
  assert.deepEqual((await readForDevelopment(directory, { file })).found, [
    `roles.shop.http: a, b, e would all listen at 127.0.0.1:9100${advice}`,
  ]);
  assert.deepEqual((await readForDevelopment(directory, { file, servers: ["c", "d"] })).found, [
    `servers.d.http: c and d would both listen at 127.0.0.1:9101${advice}`,
  ]);
  assert.deepEqual(
    (await readForDevelopment(directory, { file, servers: ["a", "c"] })).found,
    [],
  );
});

Deno.test("parseConfiguration reports a variable for a host that is not set", async () => {
  using directory = new ConfigurationDirectory();
  const { problems } = await directory.read({
    roles: { r: { module: "svc.ts" } },
    servers: { a: { role: "r", host: "${A}" } },
    workers: [{ role: "r", prefix: "w", count: 1, host: "${W}" }],
    registry: { host: ["host1", "${R}"], store: "etcd://a:1/e" },
  });
  assert.deepEqual(problems.map(({ path }) => path), [
    ...["servers.a.host", "workers[0].host", "registry.host[1]"],
  ]);
});

Deno.test("paths start at the working directory, and that at the directory of the file", async () => {
  using directory = new ConfigurationDirectory();
  Deno.mkdirSync(`${directory.path}/sub`);
  Deno.writeTextFileSync(`${directory.path}/sub/own.ts`, "");
  const { configuration, problems } = await directory.read({
    roles: {
      web: {
        workingDirectory: "sub",
        module: "own.ts",
        env: { KEY: { file: "../secret.txt" } },
        envFiles: [`${directory.path}/vars`],
        log: { file: "log/web.log" },
      },
    },
    servers: { web1: { role: "web" }, web2: { role: "web", log: { file: "-" } } },
  });
  assert.deepEqual(problems, []);
  const [web1, web2] = configuration!.servers;
  assert.equal(web1!.program.path, `${directory.path}/sub/own.ts`);
  assert.equal(web1!.workingDirectory, `${directory.path}/sub`);
  assert.deepEqual(web1!.env, { KEY: { file: `${directory.path}/secret.txt` } });
  assert.equal(web1!.log.file, `${directory.path}/sub/log/web.log`);
  assert.equal(web2!.log.file, "-");
});

Deno.test("columns count characters, and lines end in CRLF, too", async () => {
  using directory = new ConfigurationDirectory();
  const text = '\ufeff{\r\n  /* 🐢🐢 */ "registrу": true,\r\n  "roles": { "ä🐢": 1 },\r\n}';
  const { problems } = await directory.read(text);
  assert.deepEqual(problems.map(({ line, column }) => [line, column]), [[2, 12], [3, 20]]);
});

Deno.test("comments and trailing commas are allowed", async () => {
  using directory = new ConfigurationDirectory();
  const { problems } = await directory.read(`// the registry
  {
    /* of this host */ "registry": true, // yes
    "roles": { "shop": { "module": "svc.ts", "args": ["a", ], }, },
  }
  // the end`);
  assert.deepEqual(problems, []);
});

Deno.test("a hundred problems are listed, and that there are more", async () => {
  using directory = new ConfigurationDirectory();
  const fields = Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`f${index}`, 1]));
  const { problems } = await directory.read(fields);
  assert.equal(problems.length, 101);
  assert.match(problems.at(-1)!.message, /^there are more problems, which are not listed/);
});

Deno.test("large files that are wrong in every way are reported", async () => {
  using directory = new ConfigurationDirectory();
  const read = async (text: string | object) => (await directory.read(text)).problems;
  const names = Array.from({ length: 5_000 }, (_, index) => `n${index}`);
  const each = <Value>(make: (name: string) => Value) =>
    Object.fromEntries(names.map((name) => [name, make(name)]));
  // Unknown fields, roles, and servers in after.
  assert.equal((await read(each(() => 1))).length, 101);
  assert.equal((await read({ servers: each((role) => ({ role: `x${role}` })) })).length, 101);
  const roles = each(() => ({ module: "svc.ts" }));
  assert.equal(
    (await read({ roles, servers: each((role) => ({ role: `${role}0` })) })).length,
    101,
  );
  const after = { role: "n0", after: names.map((name) => `${name}x`).slice(0, 1_000) };
  assert.equal((await read({ roles, servers: { a: after } })).length, 101);
  // A chain, and everyone after everyone.
  const chain = Object.fromEntries(
    names.map((name, index) => [name, { role: "r", after: [names[index + 1] ?? "n0"] }]),
  );
  assert.match(
    (await read({ roles: { r: { module: "svc.ts" } }, servers: chain }))[0]!.message,
    /^these servers would wait for each other: n0 after n1 after n2 after ... after n4999 after n0$/,
  );
  const web = { module: "svc.ts", after: ["web"] };
  const all = await read({ roles: { web }, servers: each(() => ({ role: "web" })) });
  assert.deepEqual(all.map(({ path, message }) => [path, message]), [
    ["roles.web.after", "n0 would wait for itself"],
  ]);
  // More servers than there may be.
  const workers = names.map((prefix) => ({ role: "web", prefix, count: 1_000 })).slice(0, 1_000);
  const tooMany = await read({ roles: { web: { module: "svc.ts" } }, workers });
  assert.deepEqual(tooMany.map(({ message }) => message), [
    "too many servers: 1000000; at most 10000 are allowed",
  ]);
});

Deno.test("a configuration is read or refused, whatever its text", async () => {
  using directory = new ConfigurationDirectory();
  const parts = fc.constantFrom(
    ...[
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      "//",
      "/*",
      "*/",
      "\n",
      " ",
      "0",
      "-",
      "1e999",
      "true",
      "null",
    ],
    ...['"registry"', '"roles"', '"servers"', '"workers"', '"a"', '"role"', '"module"', '"after"'],
    ...[
      '"${"',
      '"${A}"',
      '"$${"',
      '"\\u0000"',
      '"',
      "\\",
      "\ud800",
      '"env"',
      '"restart"',
      '"count"',
    ],
    ...['{"servers":{"a":{"role":"r"}},"roles":{"r":{"module":"svc.ts"}}}', '"prefix"', '"health"'],
  );
  await fc.assert(
    fc.asyncProperty(fc.array(parts, { maxLength: 40 }), async (words) => {
      const { configuration, problems } = await directory.read(words.join(""));
      const isWrong = problems.some(({ severity }) => severity === "error");
      assert.equal(configuration === undefined, isWrong, words.join(""));
    }),
    { numRuns: 500 },
  );
  const names = fc.constantFrom(...[
    "registry",
    "roles",
    "servers",
    "workers",
    "supervisor",
    "r",
    "a",
    "role",
    "module",
    "after",
    "env",
    "log",
    "restart",
    "health",
    "count",
    "prefix",
    "capabilities",
    "given",
    "granted",
    "host",
    "http",
    "backoff",
    "__proto__",
    "constructor",
  ]);
  const values = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom<unknown>(
        true,
        null,
        1,
        -1,
        1e9,
        "r",
        "a",
        "svc.ts",
        "5s",
        "${A}",
        "role:r",
        "",
      ),
      fc.dictionary(names, tie("value"), { maxKeys: 6 }),
      fc.array(tie("value"), { maxLength: 3 }),
    ),
  })).value;
  await fc.assert(
    fc.asyncProperty(fc.dictionary(names, values, { maxKeys: 6 }), async (value) => {
      const { configuration, problems } = await directory.read(JSON.stringify(value));
      const isWrong = problems.some(({ severity }) => severity === "error");
      assert.equal(configuration === undefined, isWrong);
    }),
    { numRuns: 500 },
  );
});

Deno.test("a name of Object's prototype is no field, no role and no variable", async () => {
  using directory = new ConfigurationDirectory();
  const { problems } = await directory.read(
    '{"constructor": 1, "__proto__": 2, "servers": {"a": {"role": "toString"}, "b": {"role": "${valueOf}"}}}',
  );
  assert.deepEqual(problems.map(({ path, message }) => `${path}: ${message.slice(0, 30)}`), [
    "constructor: unknown field; the fields here",
    "__proto__: unknown field; the fields here",
    'servers.a.role: no role is called "toString"; ',
    "servers.b.role: the environment variable value",
    'servers.b.role: no role is called "${valueOf}"',
  ]);
});

Deno.test("readConfiguration reads a file through a link", async () => {
  using directory = new ConfigurationDirectory();
  Deno.writeTextFileSync(directory.file, SMALLEST);
  const link = `${directory.path}/link.jsonc`;
  Deno.symlinkSync("ensemble.jsonc", link);
  const { configuration, hash, text } = await readConfiguration(link, { environment: {} });
  assert.equal(configuration?.path, link);
  assert.equal(text, SMALLEST);
  assert.match(hash, /^[0-9a-f]{64}$/);
});

Deno.test("readConfiguration says why a file cannot be read", async () => {
  using directory = new ConfigurationDirectory();
  const { file } = directory;
  const read = () => readConfiguration(file, { environment: {} });
  await assert.rejects(read, { message: /^there is no configuration \/.*: make one with gxens/ });
  Deno.mkdirSync(file);
  await assert.rejects(read, { message: /^cannot read \/.*ensemble.jsonc: it is a directory$/ });
  Deno.removeSync(file);
  Deno.writeFileSync(file, new Uint8Array([0x7b, 0xff, 0x7d]));
  await assert.rejects(read, { message: /ensemble.jsonc is not UTF-8 text$/ });
  Deno.writeTextFileSync(file, " ".repeat(MAX_CONFIGURATION + 1));
  await assert.rejects(read, { message: /^cannot read \/.*: it is larger than 1MiB$/ });
  Deno.chmodSync(file, 0o666);
  await assert.rejects(read, {
    message: /^other users can change \/.* \(mode 666\): run "chmod o-w/,
  });
  Deno.removeSync(file);
  await new Deno.Command("mkfifo", { args: [file] }).output();
  await assert.rejects(read, { message: /^cannot read \/.*ensemble.jsonc: it is a named pipe$/ });
});

Deno.test("wrongConfiguration has a line for each error, and none for warnings", async () => {
  using directory = new ConfigurationDirectory();
  const { problems } = await directory.read('{\n"registry": 1,\n"roles": 2\n}');
  const warning = { severity: "warning", line: 1, column: 1, path: "", message: "odd" } as const;
  assert.equal(
    wrongConfiguration("a.jsonc", [warning, problems[0]!]).message,
    "a.jsonc:2:13: registry: expected true, false or an object with fields, not 1",
  );
  assert.match(
    wrongConfiguration("a.jsonc", [...problems, warning]).message,
    /^2 errors in a.jsonc:\na.jsonc:2:13: .*\na.jsonc:3:10: .*$/,
  );
});
