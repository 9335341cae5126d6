import assert from "node:assert/strict";
import { PASSPHRASE } from "../../cheap_passphrase.ts";
import { SEALING_PROGRAM } from "../../tested_program.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";

const CONFIGURATION = `{
  // Three hosts.
  "registry": { "host": "host1", "listen": ["tls://10.0.0.1:4000", "tls://127.0.0.1:4000"] },
  "roles": {
    "shop": { "module": "svc.ts", "after": ["db"], "env": { "HOME_OF": "\${HOME}" } },
    "db": {
      "module": "db.ts",
      "capabilities": { "granted": { "web1": ["loader"] }, "given": { "role:shop": ["admin"] } }
    }
  },
  "servers": {
    "web1": { "role": "shop", "host": "host2", "args": ["8080"], "env": { "OWN": "1" } },
    "web2": { "role": "shop", "host": "host3", "env": { "SECRET": "of web2" } },
    "db1": { "role": "db", "host": "host1" }
  },
  "workers": [{ "role": "shop", "prefix": "w", "count": 2, "host": "host2" }],
  "supervisor": { "listen": ["tls://0.0.0.0:4001"] }
}
`;

/** An ensemble with a configuration, and another host. */
async function twoHosts() {
  const here = new TemporaryEnsemble();
  const there = new TemporaryEnsemble();
  await here.run("cookie");
  const file = `${here.directory}/p.tar.gz`;
  const directory = `${here.gerbilPath}/ensemble`;
  await Deno.writeTextFile(`${directory}/ensemble.jsonc`, CONFIGURATION);
  const partOf = async (server: string) => {
    const made = await here.run("package", server, "-f", "-o", file, "--json");
    assert.equal(made.code, 0, made.stderr);
    const unpacked = await there.run("unpack", "-f", file);
    assert.equal(unpacked.code, 0, unpacked.stderr);
    const text = await Deno.readTextFile(`${there.gerbilPath}/ensemble/ensemble.jsonc`);
    return {
      text,
      part: JSON.parse(text.slice(text.indexOf("\n"))),
      made: JSON.parse(made.stdout),
    };
  };
  const dispose = () => {
    here[Symbol.dispose]();
    there[Symbol.dispose]();
  };
  return { here, there, file, directory, partOf, [Symbol.dispose]: dispose };
}

Deno.test("package and unpack take a host what a server needs, and nothing of others", async () => {
  using hosts = await twoHosts();
  const { there, partOf } = hosts;
  const { text, part, made } = await partOf("web1");
  assert.deepEqual(made.files, ["cookie", "known-servers", "ensemble.jsonc"]);
  assert.match(text, /^\/\/ The part of web1 in the ensemble's configuration\.\n/);
  assert.doesNotMatch(text, /of web2|db\.ts/);
  assert.deepEqual(part, {
    roles: { shop: { module: "svc.ts", env: { HOME_OF: "${HOME}" }, after: [] } },
    servers: {
      web1: {
        role: "shop",
        host: "host2",
        args: ["8080"],
        env: { OWN: "1" },
        capabilities: { given: { db1: ["loader"] } },
      },
    },
    supervisor: { listen: ["tls://0.0.0.0:4001"] },
  });
  const known = await Deno.readTextFile(`${there.gerbilPath}/ensemble/known-servers`);
  assert.equal(known, "registry tls://10.0.0.1:4000\n");
  assert.equal((await Deno.stat(there.cookiePath)).mode! & 0o777, 0o600);
  assert.match(made.notices.join("\n"), /names files that are not in the package: \S+\/svc\.ts$/m);
});

Deno.test("package takes all servers of a supervisor's host, and the registry where it runs", async () => {
  using hosts = await twoHosts();
  const host2 = await hosts.partOf("supervisor-host2");
  assert.deepEqual(Object.keys(host2.part.servers), ["web1", "w-0", "w-1"]);
  assert.equal(host2.part.registry, undefined);
  const host1 = await hosts.partOf("supervisor-host1");
  assert.deepEqual(Object.keys(host1.part.servers), ["db1"]);
  assert.deepEqual(host1.part.registry.listen, ["tls://10.0.0.1:4000", "tls://127.0.0.1:4000"]);
  assert.deepEqual(host1.made.files, ["cookie", "ensemble.jsonc"]);
  // It is a configuration again.
  const { directory } = hosts;
  await Deno.writeTextFile(`${directory}/svc.ts`, "");
  await Deno.writeTextFile(`${directory}/part.jsonc`, host2.text);
  const again = await hosts.here.run(
    "package",
    "w-1",
    "-f",
    "-o",
    hosts.file,
    "--config",
    `${directory}/part.jsonc`,
  );
  assert.equal(again.code, 0, again.stderr);
});

Deno.test("package needs none of the files and variables of another host, and names them", async () => {
  using hosts = await twoHosts();
  const { here, file, directory } = hosts;
  const registry = { host: "host2", store: "etcd://etcd1:2379/e", storePasswordFile: "/none/pw" };
  const configuration = {
    registry: { ...registry, env: { A: { file: "/none/a" } } },
    roles: { shop: { module: "/none/svc.ts" }, spare: { module: "/none/spare.ts" } },
    // Without a host, it runs on each.
    servers: { everywhere: { role: "shop", args: ["${NOT_SET_HERE}"] } },
    supervisor: { http: "${NOT_SET_HERE}", httpToken: "/none/token" },
  };
  await Deno.writeTextFile(`${directory}/ensemble.jsonc`, JSON.stringify(configuration));
  const { code, stderr } = await here.run("package", "supervisor-host2", "-o", file);
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /not in the package: \/none\/a, \/none\/pw, \/none\/svc\.ts, \/none\/token\n/,
  );
});

Deno.test("package takes certificates, and says which are missing", async () => {
  using hosts = await twoHosts();
  const { here, there, partOf } = hosts;
  const passphrase = `${here.directory}/passphrase`;
  await Deno.writeTextFile(passphrase, `${PASSPHRASE}\n`, { mode: 0o600 });
  here.program = SEALING_PROGRAM;
  for (const words of [["admin"], ["ca", "setup"], ["ca", "cert", "web1"]]) {
    const { code, stderr } = await here.run(...words, "--passphrase-file", passphrase);
    assert.equal(code, 0, stderr);
  }
  const { made } = await partOf("supervisor-host2");
  assert.deepEqual(made.files, [
    "cookie",
    "admin.pub",
    "tls/root.pem",
    "tls/crl.pem",
    "server/web1/tls/cert.pem",
    "server/web1/tls/key.pem",
    "known-servers",
    "ensemble.jsonc",
  ]);
  assert.match(made.notices.join("\n"), /^w-0 has no certificate here: make one with "gxensemble/m);
  const key = `${there.gerbilPath}/ensemble/server/web1/tls/key.pem`;
  assert.equal((await Deno.stat(key)).mode! & 0o777, 0o600);
  for (const name of ["admin.priv", "tls/root.key.age", "tls/issuing.key.age"]) {
    await assert.rejects(Deno.stat(`${there.gerbilPath}/ensemble/${name}`), Deno.errors.NotFound);
  }
});

Deno.test("package replaces a file only with -f, and says what it cannot take", async () => {
  using hosts = await twoHosts();
  const { here, there, file } = hosts;
  assert.equal((await here.run("package", "web1", "-o", file)).code, 0);
  assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
  const again = await here.run("package", "web1", "-o", file);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /p\.tar\.gz exists already: name another file, or pass -f$/m);
  const unknown = await here.run("package", "web9", "-o", `${file}2`);
  assert.match(unknown.stderr, /ensemble\.jsonc has no server web9: name one of its servers/);
  assert.equal((await here.run("package", "web1")).code, 2);
  const empty = await there.run("package", "web1", "-o", `${file}2`);
  assert.equal(empty.code, 1);
  assert.match(empty.stderr, /no cookie at \S+: make one with "gxensemble cookie"/);
});

Deno.test("package takes the registry's addresses from --registry-at and from known-servers", async () => {
  using hosts = await twoHosts();
  const { here, there, file, directory } = hosts;
  const known = async (...options: string[]) => {
    const made = await here.run("package", "-f", "-o", file, ...options, "web1");
    assert.equal(made.code, 0, made.stderr);
    assert.equal((await there.run("unpack", "-f", file)).code, 0);
    return await Deno.readTextFile(`${there.gerbilPath}/ensemble/known-servers`);
  };
  const known1 = "registry unix:/run/registry tls://10.0.0.7:4000\nweb9 tls://10.0.0.9:1\n";
  await Deno.writeTextFile(`${directory}/known-servers`, known1);
  assert.equal(await known(), "registry tls://10.0.0.7:4000\n");
  assert.equal(await known("--registry-at", "tls://10.0.0.8:1"), "registry tls://10.0.0.8:1\n");
});

Deno.test("package and unpack work through pipes, as between two hosts", async () => {
  using hosts = await twoHosts();
  const { here, there } = hosts;
  const made = await here.gxensemble("package", "web1", "-o", "-").output();
  assert.equal(made.code, 0);
  const unpacked = await there.runWithInput(made.stdout, "unpack", "-");
  assert.equal(unpacked.code, 0, unpacked.stderr);
  assert.deepEqual(await Deno.readFile(there.cookiePath), await Deno.readFile(here.cookiePath));
});

Deno.test("package --encrypt makes a file that only its passphrase opens", async () => {
  using hosts = await twoHosts();
  const { here, there, file } = hosts;
  const right = `${here.directory}/right`;
  const wrong = `${here.directory}/wrong`;
  await Deno.writeTextFile(right, `${PASSPHRASE}\n`, { mode: 0o600 });
  await Deno.writeTextFile(wrong, "trombone\n", { mode: 0o600 });
  const words = ["package", "web1", "-o", file];
  assert.equal((await here.run(...words, "--passphrase-file", right)).code, 2);
  here.program = SEALING_PROGRAM;
  const made = await here.run(...words, "--encrypt", "--passphrase-file", right);
  assert.equal(made.code, 0, made.stderr);
  const bytes = await Deno.readFile(file);
  assert.equal(new TextDecoder().decode(bytes.subarray(0, 21)), "age-encryption.org/v1");
  const refused = await there.run("unpack", file, "--passphrase-file", wrong);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /error: the passphrase is wrong$/m);
  bytes[bytes.length - 1]! ^= 1;
  await Deno.writeFile(`${file}2`, bytes);
  const changed = await there.run("unpack", `${file}2`, "--passphrase-file", right);
  assert.match(changed.stderr, /cannot decrypt the package: it was changed or truncated/);
  const unpacked = await there.run("unpack", file, "--passphrase-file", right);
  assert.equal(unpacked.code, 0, unpacked.stderr);
  assert.deepEqual(await Deno.readFile(there.cookiePath), await Deno.readFile(here.cookiePath));
});

Deno.test("unpack refuses what is no package, and a package of another ensemble", async () => {
  using hosts = await twoHosts();
  const { here, there, file } = hosts;
  await Deno.writeTextFile(file, "text");
  const text = await there.run("unpack", file);
  assert.equal(text.code, 1);
  assert.match(
    text.stderr,
    /^gxensemble: error: this is not a package of gxensemble: not compressed/,
  );
  const missing = await there.run("unpack", `${file}2`);
  assert.match(missing.stderr, /cannot read \S+p\.tar\.gz2: /);
  await here.run("package", "web1", "-f", "-o", file);
  await there.run("cookie");
  const own = await Deno.readFile(there.cookiePath);
  const foreign = await there.run("unpack", file);
  assert.equal(foreign.code, 1);
  assert.match(
    foreign.stderr,
    /the cookie is that of another ensemble, or an older one: \S+\/cookie;/,
  );
  assert.deepEqual(await Deno.readFile(there.cookiePath), own);
  assert.equal((await there.run("unpack", "-f", file)).code, 0);
});
