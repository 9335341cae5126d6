import assert from "node:assert/strict";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";

const HOST = Deno.hostname().split(".")[0]!;

function ensemble() {
  const places = new TemporaryEnsemble();
  const path = `${places.gerbilPath}/ensemble/ensemble.jsonc`;
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await places.run("config", ...args);
    return { code, stdout: stdout.trimEnd(), stderr: stderr.trimEnd() };
  };
  const write = (name: string, text: string) => {
    const file = `${places.directory}/${name}`;
    Deno.writeTextFileSync(file, text);
    return file;
  };
  return { places, path, run, write, [Symbol.dispose]: () => places[Symbol.dispose]() };
}

const SERVERS = `{
  "registry": { "host": "host1" },
  "roles": { "shop": { "module": "svc.ts", "env": { "KEY": { "file": "key" } } } },
  "servers": {
    "shop1": { "role": "shop", "host": "host1" },
    "shop2": { "role": "shop", "host": "host2" }
  }
}`;

Deno.test("config init makes a configuration and its schema, and replaces only with -f", async () => {
  using test = ensemble();
  const { path, run } = test;
  const made = {
    code: 0,
    stdout: "",
    stderr:
      `... the configuration is in ${path}; edit it, and check it with gxensemble config check`,
  };
  assert.deepEqual(await run("init"), made);
  assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  const schema = path.replace(/jsonc$/, "schema.json");
  assert.equal(JSON.parse(Deno.readTextFileSync(schema)).type, "object");
  assert.deepEqual(await run("check"), {
    code: 0,
    stdout: "",
    stderr: `... ${path} is valid; on ${HOST}: the registry, 0 servers`,
  });

  Deno.writeTextFileSync(path, "{}");
  Deno.removeSync(schema);
  assert.deepEqual(await run("init"), {
    code: 1,
    stdout: "",
    stderr:
      `gxensemble: error: there is a configuration already: ${path}; -f replaces it, and --schema writes only the schema for editors`,
  });
  assert.equal(Deno.readTextFileSync(path), "{}");
  assert.deepEqual(await run("init", "--schema"), {
    code: 0,
    stdout: "",
    stderr: `... the schema is in ${schema}`,
  });
  assert.equal(Deno.readTextFileSync(path), "{}");
  assert.deepEqual(await run("init", "-f"), made);
  assert.match(Deno.readTextFileSync(path), /"registry": true/);
});

Deno.test("config check prints each problem with its place, and exits with 1", async () => {
  using test = ensemble();
  const { run, write } = test;
  const file = write("wrong.jsonc", '{\n  "server": {},\n  "registry": "\\u001b[31myes"\n}');
  assert.deepEqual(await run("check", file), {
    code: 1,
    stdout: [
      `${file}:2:3: server: unknown field; did you mean servers?`,
      `${file}:3:15: registry: expected true, false or an object with fields, not "\\u001b[31myes"`,
    ].join("\n"),
    stderr: `gxensemble: error: 2 errors in ${file}`,
  });
  const { code, stdout } = await run("check", "--json", "--config", file);
  const { valid, problems, file: named } = JSON.parse(stdout);
  assert.deepEqual([code, valid, named], [1, false, file]);
  assert.deepEqual(problems[0], {
    severity: "error",
    line: 2,
    column: 3,
    path: "server",
    message: "unknown field; did you mean servers?",
  });
});

Deno.test("config check reads the file as another host does, and warns without failing", async () => {
  using test = ensemble();
  const { run, write } = test;
  write("svc.ts", "");
  const file = write("hosts.jsonc", SERVERS);
  const other = await run("check", "--host", "host3.example.com", file);
  assert.deepEqual(other, {
    code: 0,
    stdout: "",
    stderr: `... ${file} is valid; on host3: 0 of 2 servers`,
  });
  assert.match(
    (await run("check", "--host", "host1", file)).stdout,
    /KEY: there is no file .*key$/,
  );
  const warned = await run(
    "check",
    write(
      "warned.jsonc",
      '{"roles": {"r": {"module": "svc.ts", "grace": 9, "stop": {"killAfter": 5}}}}',
    ),
  );
  assert.equal(warned.code, 0);
  assert.match(
    warned.stdout,
    /: warning: roles\.r\.stop\.killAfter: it is killed after 5s, before/,
  );
  assert.match(warned.stderr, /is valid; on /);
});

Deno.test("config show prints all fields of a server, and no secret", async () => {
  using test = ensemble();
  const { places, run, write } = test;
  write("svc.ts", "");
  const key = write("key", "s3cret\n");
  Deno.chmodSync(key, 0o600);
  const config = ["--config", write("ensemble.jsonc", SERVERS), "--host", "host1"];
  const all = await run("show", ...config);
  assert.equal(all.code, 0, all.stderr);
  assert.deepEqual(Object.keys(JSON.parse(all.stdout)), [
    ...["registry", "roles", "servers", "supervisor"],
  ]);
  const one = await run("show", ...config, "--server", "shop1");
  const { module, env, grace } = JSON.parse(one.stdout);
  assert.deepEqual([module, grace], [`${places.directory}/svc.ts`, "5s"]);
  assert.deepEqual(env, { KEY: { file: key } });
  const json = JSON.parse((await run("show", ...config, "--server", "shop1", "--json")).stdout);
  assert.deepEqual([json.id, json.grace], ["shop1", 5_000]);
  for (const { stdout } of [all, one]) assert.doesNotMatch(stdout, /s3cret/);
  assert.equal(
    JSON.parse((await run("show", ...config, "--server", "registry")).stdout).host,
    "host1",
  );
  assert.deepEqual(await run("show", ...config, "--server", "shpo1"), {
    code: 1,
    stdout: "",
    stderr:
      `gxensemble: error: no server shpo1 in ${places.directory}/ensemble.jsonc; did you mean shop1?`,
  });
});

Deno.test("config show fails with all errors of the configuration", async () => {
  using test = ensemble();
  const file = test.write("wrong.jsonc", '{"servers": 1, "workers": 2}');
  const { code, stdout, stderr } = await test.run("show", "--config", file);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(
    stderr,
    /^gxensemble: error: 2 errors in .*:\n {2}.*:1:13: servers: .*\n {2}.*:1:27: /,
  );
});

Deno.test("config reports wrong usage", async () => {
  using test = ensemble();
  const { run } = test;
  assert.match(
    (await run("check", "--config", "a", "b")).stderr,
    /--config and a file exclude each/,
  );
  assert.equal((await run("check", "--config", "a", "b")).code, 2);
  assert.equal((await run("init", "--schema", "-f")).code, 2);
  assert.equal((await run("check", "--host", "")).code, 2);
  assert.equal((await run("chek")).code, 2);
  assert.match(
    (await run("check")).stderr,
    /there is no configuration .*: make one with gxensemble/,
  );
});
