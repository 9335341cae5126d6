import assert from "node:assert/strict";
import { openWithAge } from "../../certificate_tools.ts";
import { generatePair } from "../../cheap_passphrase.ts";
import { testWith } from "../../requirements.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";
import { CTRL_C, CTRL_D, gxensembleOnTerminal, type Seen } from "../../terminal.ts";
import { SEALING_PROGRAM } from "../../tested_program.ts";

const FIRST = "passphrase for the administrator key:";
const AGAIN = "repeat the passphrase:";
const PASSPHRASE = "Tr0ub4dor & [3] $x {\"'}";

/** The ensemble of a test, and what it needs to read the key pair. */
class AdminEnsemble extends TemporaryEnsemble {
  override program = SEALING_PROGRAM;
  readonly publicPath = `${this.gerbilPath}/ensemble/admin.pub`;
  readonly privatePath = `${this.gerbilPath}/ensemble/admin.priv`;

  /** Installs a key pair that opens at once. */
  async putPair(passphrase: string): Promise<void> {
    const { open, sealed } = await generatePair(passphrase);
    Deno.mkdirSync(`${this.gerbilPath}/ensemble`, { recursive: true, mode: 0o700 });
    Deno.writeTextFileSync(this.publicPath, open);
    Deno.writeTextFileSync(this.privatePath, sealed, { mode: 0o600 });
  }

  admin(...args: string[]) {
    return this.run("admin", ...args);
  }

  atTerminal(...dialogue: [string, string][]): Promise<Seen> {
    return gxensembleOnTerminal(this, ["admin"], dialogue);
  }

  write(name: string, text: string): string {
    Deno.writeTextFileSync(`${this.directory}/${name}`, text, { mode: 0o600 });
    return `${this.directory}/${name}`;
  }

  /** The names of the ensemble's files. */
  files(): string[] {
    try {
      return Array.from(Deno.readDirSync(`${this.gerbilPath}/ensemble`), ({ name }) => name).sort();
    } catch (error) {
      assert.ok(error instanceof Deno.errors.NotFound);
      return [];
    }
  }

  pair(): [string, string] {
    return [Deno.readTextFileSync(this.publicPath), Deno.readTextFileSync(this.privatePath)];
  }

  /** The private half, decrypted with `age`. */
  unsealed(passphrase: string): Promise<Seen & { text: string }> {
    return openWithAge(this, { path: this.privatePath, passphrase });
  }
}

async function openssl(input: string, ...args: string[]): Promise<string> {
  const process = new Deno.Command("openssl", {
    args: ["pkey", ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await process.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test("admin asks again until the two passphrases match, does not echo them, and makes a key pair", async () => {
  using ensemble = new AdminEnsemble();
  const { code, raw, screen } = await ensemble.atTerminal(
    [FIRST, PASSPHRASE],
    [AGAIN, "another"],
    [FIRST, PASSPHRASE],
    [AGAIN, PASSPHRASE],
  );
  assert.match(screen, /the passphrases differ; try again/);
  assert.equal(code, 0, screen);
  for (const part of ["another", "Tr0ub4dor", "[3]", "$x", "***"]) {
    assert.ok(!raw.includes(part), part);
  }
  assert.match(screen, /public key is in .*\/ensemble\/admin\.pub\n/);
  assert.match(screen, /private key is in .*\/ensemble\/admin\.priv\n/);
  assert.match(screen, /servers enforce it after they are restarted\n$/);

  assert.deepEqual(ensemble.files(), ["admin.priv", "admin.pub"]);
  const mode = (path: string) => Deno.statSync(path).mode! & 0o777;
  assert.equal(mode(ensemble.privatePath), 0o600);
  assert.equal(mode(ensemble.publicPath) & ~0o044, 0o600);
  assert.equal(mode(`${ensemble.gerbilPath}/ensemble`), 0o700);

  const [publicKey, sealed] = ensemble.pair();
  assert.match(publicKey, /^-----BEGIN PUBLIC KEY-----\n[^-]+-----END PUBLIC KEY-----\n$/);
  assert.match(
    sealed,
    /^-----BEGIN AGE ENCRYPTED FILE-----\n[^-]+-----END AGE ENCRYPTED FILE-----\n$/,
  );
});

Deno.test("admin refuses an empty or interrupted passphrase", async () => {
  const dialogues: [RegExp, [string, string][]][] = [
    [/error: the passphrase must not be empty\n$/, [[FIRST, ""]]],
    [/error: canceled: no passphrase was given\n$/, [[FIRST, CTRL_C]]],
    [/error: canceled: no passphrase was given\n$/, [[FIRST, CTRL_D]]],
    [/error: canceled: no passphrase was given\n$/, [[FIRST, "secret"], [AGAIN, CTRL_C]]],
  ];
  await Promise.all(dialogues.map(async ([reason, dialogue]) => {
    using ensemble = new AdminEnsemble();
    const { code, screen } = await ensemble.atTerminal(...dialogue);
    assert.equal(code, 1, screen);
    assert.match(screen, reason);
    assert.ok(!screen.includes("secret"));
    assert.deepEqual(ensemble.files(), []);
  }));
});

Deno.test("admin makes no key pair without a passphrase", async () => {
  using ensemble = new AdminEnsemble();
  const open = ensemble.write("open", PASSPHRASE);
  Deno.chmodSync(open, 0o666);
  const cases: [string[], RegExp][] = [
    [[], /cannot ask for the passphrase: there is no terminal; use --passphrase-file\n$/],
    [["--passphrase-file", `${ensemble.directory}/nosuch`], /cannot read the passphrase file /],
    [["--passphrase-file", ensemble.directory], /the passphrase file .*: it is a directory\n$/],
    [
      ["--passphrase-file", open],
      /other users can read the passphrase file .* \(mode 666\): run "chmod /,
    ],
    [["--passphrase-file", ensemble.write("empty", "")], /the passphrase must not be empty/],
    [["--passphrase-file", ensemble.write("line", "\nsecret\n")], /must not be empty/],
  ];
  for (const [args, reason] of cases) {
    const { code, stdout, stderr } = await ensemble.admin(...args);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.match(stderr, reason);
  }
  assert.deepEqual(ensemble.files(), []);
});

testWith(["age", "openssl"], {
  name:
    "admin replaces a key pair only with -f, and reads the passphrase from the first line of a file without asking",
  async fn() {
    using ensemble = new AdminEnsemble();
    await ensemble.putPair("old");
    const before = ensemble.pair();
    const { code, screen } = await ensemble.atTerminal();
    assert.equal(code, 1);
    assert.match(
      screen,
      /error: an administrator key pair exists already: .*"gxensemble admin -f"/,
    );
    assert.ok(!screen.includes(FIRST));
    assert.deepEqual(ensemble.pair(), before);

    // One half is enough to prevent a new pair, like both.
    for (const path of [ensemble.publicPath, ensemble.privatePath]) {
      Deno.renameSync(path, `${path}.away`);
      assert.equal((await ensemble.admin("--passphrase-file", ensemble.write("p", "new"))).code, 1);
      Deno.renameSync(`${path}.away`, path);
    }
    assert.deepEqual(ensemble.pair(), before);
    assert.deepEqual(ensemble.files(), ["admin.priv", "admin.pub"]);

    const file = ensemble.write("p", `${PASSPHRASE}\r\nand more\n`);
    const forced = await ensemble.admin("-f", "--passphrase-file", file);
    assert.deepEqual({ code: forced.code, stdout: forced.stdout }, { code: 0, stdout: "" });
    assert.ok(!forced.stderr.includes("Tr0ub4dor"));
    const [publicKey] = ensemble.pair();
    assert.notDeepEqual(publicKey, before[0]);
    assert.match(await openssl(publicKey, "-pubin", "-noout", "-text"), /^ED25519 Public-Key:/);
    const der = Uint8Array.fromBase64(publicKey.split("\n")[1]!);
    assert.deepEqual(JSON.parse((await ensemble.run("admin", "--view", "--json")).stdout), {
      fingerprint: new Uint8Array(await crypto.subtle.digest("SHA-256", der)).toHex(),
      publicKey: ensemble.publicPath,
      privateKey: ensemble.privatePath,
    });
    const { code: opened, screen: shown, text: key } = await ensemble.unsealed(PASSPHRASE);
    assert.equal(opened, 0, shown);
    assert.match(key, /^-----BEGIN PRIVATE KEY-----\n/);
    assert.equal(await openssl(key, "-pubout"), publicKey);
    assert.notEqual((await ensemble.unsealed("old")).code, 0);
  },
});

testWith(["age", "openssl"], {
  name: "admin makes one matching pair when two processes make it at once",
  async fn() {
    using ensemble = new AdminEnsemble();
    const passphrases = ["a", "b"];
    const outcomes = await Promise.all(
      passphrases.map((text) =>
        ensemble.runProcess("admin", "--passphrase-file", ensemble.write(text, text))
      ),
    );
    const made = outcomes.findIndex(({ code }) => code === 0);
    assert.deepEqual(outcomes.map(({ code }) => code).sort(), [0, 1]);
    assert.deepEqual(ensemble.files(), ["admin.priv", "admin.pub"]);
    const { text: key } = await ensemble.unsealed(passphrases[made]!);
    assert.equal(await openssl(key, "-pubout"), ensemble.pair()[0]);
  },
});

Deno.test("a server does not start with an invalid public key", async () => {
  using ensemble = new AdminEnsemble();
  await ensemble.run("cookie");
  const broken: Record<string, () => void> = {
    "no PEM": () => Deno.writeTextFileSync(ensemble.publicPath, "secret\n"),
    "an empty file": () => Deno.writeTextFileSync(ensemble.publicPath, ""),
    "a key of another kind": () =>
      Deno.writeTextFileSync(
        ensemble.publicPath,
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n",
      ),
    "a link that leads nowhere": () => Deno.symlinkSync("nowhere", ensemble.publicPath),
    "a directory": () => Deno.mkdirSync(ensemble.publicPath),
  };
  for (const [what, make] of Object.entries(broken)) {
    make();
    const { code, stderr } = await ensemble.run("registry");
    assert.equal(code, 1, what);
    assert.match(stderr, /admin\.pub/, what);
    Deno.removeSync(ensemble.publicPath);
  }
});
