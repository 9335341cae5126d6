import assert from "node:assert/strict";
import { EnsembleError } from "../../../runtime/errors.ts";
import { KnownServersFile } from "../../../runtime/home/known_servers.ts";
import { formatAddressUrl, parseAddresses } from "../../../runtime/wire/address.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";

const WEB1 = "web1";

/** A file in a directory of its own; removed with `using`. */
class TemporaryFile extends KnownServersFile implements Disposable {
  readonly #directory: string;

  constructor(content?: string | Uint8Array) {
    const directory = Deno.makeTempDirSync({ prefix: "gx-" });
    super(`${directory}/ensemble/known-servers`);
    this.#directory = directory;
    if (content === undefined) return;
    Deno.mkdirSync(`${directory}/ensemble`);
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    Deno.writeFileSync(this.path, bytes, { mode: 0o640 });
  }

  get text(): string {
    return Deno.readTextFileSync(this.path);
  }

  /** The known servers as plain objects. */
  async known(): Promise<Record<string, string[]>> {
    const known = await this.read();
    return Object.fromEntries(
      [...known].map(([id, addresses]) => [id, addresses.map(formatAddressUrl)]),
    );
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#directory, { recursive: true });
  }
}

const A1 = parseAddresses("tcp://a:1");

Deno.test("read takes one server per line, in both notations, with comments", async () => {
  using file = new TemporaryFile(
    [
      "# where things are",
      "",
      "registry tls://host1:7000 tcp://host1:7001 # in the cellar, behind (",
      '(web1 (tcp: "10.0.0.1:4000") unix:/run/a#1;)  ; "unfinished',
      '  web2 (unix: "elsewhere" "/run/a b;#c")\r',
      'web3 ((tcp: "a:1") tls://b:2),unix:/c # one line:\r \u2028',
    ].join("\n"),
  );
  // A ; ends an address, and a # does not.
  await assert.rejects(file.read(), /:4: not a list notation.*a "\(" without its "\)"/);
  Deno.writeTextFileSync(file.path, file.text.replace("#1;)", "#1)"));
  assert.deepEqual(await file.known(), {
    registry: ["tls://host1:7000", "tcp://host1:7001"],
    web1: ["tcp://10.0.0.1:4000", "unix:/run/a%231"],
    web2: ["unix://elsewhere/run/a%20b%3B%23c"],
    web3: ["tcp://a:1", "tls://b:2", "unix:/c"],
  });
});

Deno.test("read returns an empty map when the file is missing or empty", async () => {
  using missing = new TemporaryFile();
  assert.deepEqual(await missing.known(), {});
  using empty = new TemporaryFile("");
  assert.deepEqual(await empty.known(), {});
});

Deno.test("read names the file and line of an error", async () => {
  const wrong: [line: string, why: RegExp][] = [
    ["web1", /^no address of web1$/],
    ["web1 # none", /^no address of web1$/],
    ["(web1)", /^no address of web1$/],
    ["web1 tcp://a", /^not an address: tcp:\/\/a: host:port expected/],
    ["web1 10.0.0.1:4000", /^not an address: 10\.0\.0\.1:4000: write unix:/],
    ["we/b tcp://a:1", /^not a server id: "we\/b"/],
    ["tcp://a:1", /^not a server id: "tcp:\/\/a:1"/],
    ['"web1" tcp://a:1', /^a server id expected at the beginning, not "web1"$/],
    ["(web1 tcp://a:1) (web2 tcp://b:2)", /^a server id expected at the beginning, not \(web1 /],
    ["()", /^a server id expected at the beginning, not \(\)$/],
    ["(web1 tcp://a:1", /^not a list notation: .*a "\(" without its "\)"/],
    ['web1 (tcp: "a:1)', /^not a list notation: .*a string without its closing "/],
    ["first tcp://a:1", /^first has a line already: line 1$/],
  ];
  for (const [line, why] of wrong) {
    using file = new TemporaryFile(`first tcp://a:1\n\n${line}\nlast tcp://b:2\n`);
    const { text } = file;
    const fails = (error: Error) => {
      assert.ok(error instanceof EnsembleError);
      assert.equal(error.message.slice(0, file.path.length + 4), `${file.path}:3: `, error.message);
      assert.match(error.message.slice(file.path.length + 4), why);
      return true;
    };
    await assert.rejects(file.read(), fails);
    await assert.rejects(file.set(WEB1, parseAddresses("tcp://c:3")), fails);
    assert.equal(file.text, text, "nothing is lost");
  }
});

Deno.test("read refuses a file that is not text", async () => {
  using bytes = new TemporaryFile(new Uint8Array([0x61, 0xff, 0x0a]));
  await assert.rejects(bytes.read(), { message: `${bytes.path} is not UTF-8 text` });
  await assert.rejects(bytes.set(WEB1, A1), EnsembleError);
  assert.equal(Deno.statSync(bytes.path).size, 3);
  using directory = new TemporaryFile("");
  Deno.removeSync(directory.path);
  Deno.mkdirSync(directory.path);
  await assert.rejects(directory.read(), /^EnsembleError: cannot read .*: it is a directory$/);
});

Deno.test("a change replaces one line, and keeps the other lines and its comment", async () => {
  using file = new TemporaryFile(
    '# mine\r\nweb1 tcp://a:1 tcp://b:2  # the old one\r\n\n(web2 (tcp: "c:3"))',
  );
  assert.deepEqual(
    await file.add(WEB1, parseAddresses("unix:/d tcp://a:1")),
    parseAddresses("tcp://a:1 tcp://b:2 unix:/d"),
  );
  const others = (line: string) => `# mine\r\n${line}\n(web2 (tcp: "c:3"))\n`;
  assert.equal(file.text, others("web1 tcp://a:1 tcp://b:2 unix:/d # the old one\r\n"));
  assert.deepEqual(await file.remove(WEB1), []);
  assert.equal(file.text, others(""));
  await file.set(WEB1, parseAddresses("tls://e:4 tcp://f:5 tls://e:4"));
  assert.equal(file.text, others("") + "web1 tls://e:4 tcp://f:5\n");
  assert.equal(Deno.statSync(file.path).mode! & 0o777, 0o640);
});

Deno.test("remove takes away the given addresses, and the line with the last of them", async () => {
  using file = new TemporaryFile("web1 tcp://a:1 tcp://b:2\nweb2 tcp://c:3\n");
  assert.deepEqual(await file.remove(WEB1, A1), parseAddresses("tcp://b:2"));
  const { text } = file;
  await assert.rejects(file.remove(WEB1, parseAddresses("tcp://b:2 tcp://a:1")), {
    name: "EnsembleError",
    message: `tcp://a:1 is not an address of web1 in ${file.path}`,
  });
  assert.equal(file.text, text);
  assert.deepEqual(await file.remove(WEB1, parseAddresses("tcp://b:2")), []);
  assert.equal(file.text, "web2 tcp://c:3\n");
  await assert.rejects(file.remove(WEB1), { message: `web1 is not in ${file.path}` });
});

Deno.test("a change makes the file and its directory, and keeps a link", async () => {
  using file = new TemporaryFile();
  await file.set(WEB1, parseAddresses("tcp://a:1"));
  assert.equal(file.text, "web1 tcp://a:1\n");
  assert.equal(Deno.statSync(`${file.path}/..`.replace(/\/[^/]+\/\.\.$/, "")).mode! & 0o777, 0o700);
  const target = `${file.path}.shared`;
  Deno.renameSync(file.path, target);
  Deno.symlinkSync(target, file.path);
  await file.set(WEB1, parseAddresses("tcp://b:2"));
  assert.ok(Deno.lstatSync(file.path).isSymlink);
  assert.equal(Deno.readTextFileSync(target), "web1 tcp://b:2\n");
  // The target of a link may not exist yet.
  Deno.removeSync(target);
  await file.set(WEB1, parseAddresses("tcp://c:3"));
  assert.ok(Deno.lstatSync(file.path).isSymlink);
  assert.equal(Deno.readTextFileSync(target), "web1 tcp://c:3\n");
});

Deno.test("a change follows a relative link from the real directory", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "gx-" });
  try {
    Deno.mkdirSync(`${directory}/shared/ensemble`, { recursive: true });
    Deno.symlinkSync("shared/ensemble", `${directory}/ensemble`);
    const file = new KnownServersFile(`${directory}/ensemble/known-servers`);
    Deno.symlinkSync("../all-servers", file.path);
    await file.set(WEB1, A1);
    assert.equal(Deno.readTextFileSync(`${directory}/shared/all-servers`), "web1 tcp://a:1\n");
    assert.ok(Deno.lstatSync(file.path).isSymlink);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("a change loses no concurrent change", async () => {
  using file = new TemporaryFile();
  const ids = Array.from({ length: 30 }, (_, n) => `s${n}`);
  await Promise.all(ids.map((id) => file.set(id, A1)));
  assert.deepEqual([...(await file.read()).keys()].sort(), ids.toSorted());
  // Nor a change made through a link.
  const link = `${file.path}.link`;
  Deno.symlinkSync(file.path, link);
  const linked = new KnownServersFile(link);
  const others = ids.map((id) => `${id}-linked`);
  await Promise.all(others.flatMap((id, n) => [linked.set(id, A1), file.remove(ids[n]!)]));
  assert.deepEqual([...(await file.read()).keys()].sort(), others.toSorted());
});

/** The result, in a process whose environment no other test shares. */
interface Found {
  registry?: string[];
  advice?: string;
  known?: Record<string, string[]>;
  nearby?: string[];
  error?: string;
}

function source(path: string): string {
  return JSON.stringify(new URL(`../../../${path}`, import.meta.url).href);
}

/**
 * Calls `locateServers` for each case, with given addresses, `ENSEMBLE_REGISTRY` and a file
 * `known-servers`.
 */
async function locate(
  places: TemporaryEnsemble,
  cases: { given?: string; variable?: string; file?: string }[],
): Promise<Found[]> {
  const { code, stdout, stderr } = await places.evaluate(`
    import { findPlaces } from ${source("runtime/home/paths.ts")};
    import { locateServers } from ${source("runtime/home/server_locations.ts")};
    import { formatAddressUrl, parseAddresses } from ${source("runtime/wire/address.ts")};
    const urls = (addresses) => addresses.map(formatAddressUrl);
    const path = Deno.env.get("GERBIL_PATH") + "/ensemble/known-servers";
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    const found = [];
    for (const { given = "", variable, file } of ${JSON.stringify(cases)}) {
      if (variable === undefined) Deno.env.delete("ENSEMBLE_REGISTRY");
      else Deno.env.set("ENSEMBLE_REGISTRY", variable);
      if (file !== undefined) Deno.writeTextFileSync(path, file);
      try {
        const locations = await locateServers(findPlaces(), { registry: parseAddresses(given) });
        found.push({
          registry: urls(locations.registry),
          advice: locations.registryAdvice,
          known: Object.fromEntries([...locations.known].map(([id, list]) => [id, urls(list)])),
          nearby: urls(locations.nearby("web1")),
        });
      } catch (error) {
        found.push({ error: error.name + ": " + error.message });
      }
      if (file !== undefined) Deno.removeSync(path);
    }
    console.log(JSON.stringify(found));
  `);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

Deno.test("locateServers uses only the first source that names the registry", async () => {
  using places = new TemporaryEnsemble();
  const file = "registry tcp://file:3\nweb1 tcp://web:4\n";
  const path = `${places.gerbilPath}/ensemble/known-servers`;
  const local = `unix:${places.socketDirectory}`;
  const start = "start a registry there with: gxensemble registry";
  const found = await locate(places, [
    {},
    { given: "tcp://given:1 unix:/run/e/registry", variable: "tcp://variable:2", file },
    { variable: '(tcp: "variable:2")', file },
    { variable: "", file },
    { file: "web1 tcp://web:4" },
    { given: "unix://elsewhere/run/e/registry" },
    // A source that is not used can be invalid.
    { given: "tcp://given:1", variable: "nonsense", file: "nonsense" },
    { variable: "tcp://variable:2", file: "nonsense" },
    { variable: "nonsense", file },
    { variable: " ", file },
    { file: "\nnonsense" },
  ]);
  assert.deepEqual(found.splice(0, 8), [
    {
      registry: [`${local}/registry`],
      advice: "start a registry with: gxensemble registry",
      known: {},
      nearby: [`${local}/web1`],
    },
    {
      registry: ["tcp://given:1", "unix:/run/e/registry"],
      advice: `${start} -l tcp://given:1 -l unix:/run/e/registry`,
      known: {},
      nearby: ["unix:/run/e/web1"],
    },
    {
      registry: ["tcp://variable:2"],
      advice: `ENSEMBLE_REGISTRY is set to that address; ${start} -l tcp://variable:2`,
      known: {},
      nearby: [],
    },
    {
      registry: ["tcp://file:3"],
      advice: `the address comes from ${path}; ${start} -l tcp://file:3`,
      known: { web1: ["tcp://web:4"] },
      nearby: [`${local}/web1`],
    },
    {
      registry: [`${local}/registry`],
      advice: "start a registry with: gxensemble registry",
      known: { web1: ["tcp://web:4"] },
      nearby: [`${local}/web1`],
    },
    {
      registry: ["unix://elsewhere/run/e/registry"],
      advice: `${start} -l unix://elsewhere/run/e/registry`,
      known: {},
      nearby: [],
    },
    { registry: ["tcp://given:1"], advice: `${start} -l tcp://given:1`, known: {}, nearby: [] },
    {
      registry: ["tcp://variable:2"],
      advice: `ENSEMBLE_REGISTRY is set to that address; ${start} -l tcp://variable:2`,
      known: {},
      nearby: [],
    },
  ]);
  const errors = found.map(({ error }) => error);
  assert.match(
    errors[0]!,
    /^InvalidInputError: ENSEMBLE_REGISTRY: not an address: nonsense: write/,
  );
  assert.equal(errors[1], 'InvalidInputError: ENSEMBLE_REGISTRY contains no address: " "');
  assert.equal(errors[2], `EnsembleError: ${path}:2: no address of nonsense`);
});
