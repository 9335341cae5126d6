import assert from "node:assert/strict";
import { packTar, type TarEntry } from "npm:modern-tar@^0.8.6";
import { packArchive, readArchive } from "../../../cli/packages/package_archive.ts";
import { unpackFiles } from "../../../cli/packages/unpacking.ts";
import { Places } from "../../../runtime/home/paths.ts";
import { fingerprintOf } from "../../../runtime/server/credentials.ts";

const COOKIE = new Uint8Array(32).fill(7);
const TEXT = new TextEncoder().encode("registry tcp://10.0.0.1:4000\n");
const FILES = [
  { name: "cookie", contents: COOKIE },
  { name: "known-servers", contents: TEXT },
];
const ABOUT = { server: "web1", by: "me@host1", made: "2026-01-31T12:00:00.000Z" };

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function gunzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** An entry of an archive; by default, a regular file that only its owner can read. */
function entry(
  name: string,
  contents: Uint8Array<ArrayBuffer> = COOKIE,
  header: Partial<TarEntry["header"]> = {},
): TarEntry {
  const hasBody = header.type === undefined || header.type === "file";
  const size = hasBody ? contents.length : 0;
  return {
    header: { name, size, mode: 0o600, type: "file", ...header },
    ...hasBody && { body: contents },
  };
}

/** An archive of entries, all of which its list names, unless another list is given. */
async function archiveOf(entries: readonly TarEntry[], list: object = {}) {
  const files = await Promise.all(entries.map(async ({ header, body }) => ({
    name: header.name,
    sha256: await fingerprintOf((body ?? new Uint8Array()) as Uint8Array<ArrayBuffer>),
  })));
  const text = JSON.stringify({ format: "gxensemble package 1", ...ABOUT, files, ...list });
  const first = entry("package.json", new TextEncoder().encode(text));
  return await gzip(await packTar([first, ...entries]));
}

Deno.test("readArchive reads what packArchive makes", async () => {
  assert.deepEqual(await readArchive(await packArchive({ ...ABOUT, files: FILES })), {
    format: "gxensemble package 1",
    ...ABOUT,
    files: FILES,
  });
});

Deno.test("tar lists the files of a package with their modes", async () => {
  const path = Deno.makeTempFileSync({ suffix: ".tar.gz" });
  try {
    await Deno.writeFile(path, await packArchive({ ...ABOUT, files: FILES }));
    const { stdout } = await new Deno.Command("tar", { args: ["tvzf", path] }).output();
    const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
    assert.match(lines[0]!, /^-rw------- .* package\.json$/);
    assert.match(lines[1]!, /^-rw------- .* cookie$/);
    assert.match(lines[2]!, /^-rw-r--r-- .* known-servers$/);
  } finally {
    await Deno.remove(path);
  }
});

const link = { type: "symlink", linkname: "/etc/passwd" } as const;

for (
  const [what, entries, reason] of [
    ["a name that leads out", [entry("../cookie")], /has no file "\.\.\/cookie"/],
    ["a name that leads out further down", [entry("tls/../../cookie")], /has no file/],
    ["an absolute name", [entry("/etc/cron.d/job")], /has no file "\/etc\/cron\.d\/job"/],
    ["a name with a dot", [entry("./cookie")], /has no file/],
    ["an empty part of a name", [entry("server//tls/key.pem")], /not a server id/],
    ["an id that leads out", [entry("server/../tls/key.pem")], /not a server id/],
    ["another file", [entry("admin.priv")], /has no file "admin\.priv"/],
    ["the name of a method", [entry("constructor")], /has no file/],
    ["a symbolic link", [entry("cookie", COOKIE, link)], /not a regular file: symlink/],
    [
      "a hard link",
      [entry("cookie", COOKIE, { type: "link", linkname: "known-servers" })],
      /not a regular file: link/,
    ],
    ["a device", [entry("cookie", COOKIE, { type: "character-device" })], /character-device/],
    ["a named pipe", [entry("cookie", COOKIE, { type: "fifo" })], /regular file: fifo/],
    ["a directory", [entry("tls", COOKIE, { type: "directory" })], /regular file: directory/],
    ["a name that is there twice", [entry("cookie"), entry("cookie")], /lists a file twice/],
    [
      "a secret that others can read",
      [entry("cookie", COOKIE, { mode: 0o644 })],
      /cookie has the mode 644 instead of 600/,
    ],
    [
      "a file that runs as its owner",
      [entry("known-servers", TEXT, { mode: 0o4755 })],
      /known-servers has the mode 4755 instead of 644/,
    ],
    [
      "a cookie of another length",
      [entry("cookie", new Uint8Array(33))],
      /cookie in the package is not valid: not a cookie: it has 33 bytes/,
    ],
    [
      "an invalid public key",
      [entry("admin.pub", TEXT, { mode: 0o644 })],
      /admin\.pub in the package is not valid/,
    ],
    [
      "a text that is not UTF-8",
      [entry("known-servers", new Uint8Array([0xff]), { mode: 0o644 })],
      /known-servers in the package is not valid/,
    ],
    [
      "a large file",
      [entry("known-servers", new Uint8Array(2 ** 20 + 1), { mode: 0o644 })],
      /known-servers has 1048577 bytes/,
    ],
  ] as const
) {
  Deno.test(`readArchive refuses ${what}`, async () => {
    await assert.rejects(readArchive(await archiveOf(entries)), reason);
  });
}

Deno.test("readArchive refuses files that its list does not name, or names otherwise", async () => {
  const files = [{ name: "cookie", sha256: await fingerprintOf(COOKIE) }];
  const known = entry("known-servers", TEXT, { mode: 0o644 });
  const refused = (entries: TarEntry[], list: object, reason: RegExp) =>
    archiveOf(entries, list).then((archive) => assert.rejects(readArchive(archive), reason));
  await refused([entry("cookie"), known], { files }, /"known-servers" is there twice, or not in/);
  await refused([entry("cookie"), entry("cookie")], { files }, /"cookie" is there twice, or not/);
  await refused([], { files }, /"cookie" is missing/);
  await refused([entry("cookie", new Uint8Array(32))], { files }, /cookie was changed/);
  await refused([entry("cookie")], { format: "gxensemble package 2" }, /it has another form/);
  await refused([entry("cookie")], { files: [null] }, /package\.json is not complete/);
  await refused([entry("cookie")], { server: 1 }, /package\.json is not complete/);
  await assert.rejects(readArchive(await gzip(await packTar([]))), /its first entry is not/);
  await assert.rejects(
    readArchive(await gzip(await packTar([entry("package.json", TEXT)]))),
    /package\.json is not JSON/,
  );
});

Deno.test("readArchive refuses an archive that was cut off anywhere, or changed", async () => {
  const archive = await packArchive({ ...ABOUT, files: FILES });
  for (let length = 0; length < archive.length; length += 7) {
    await assert.rejects(readArchive(archive.slice(0, length)), /not a package of gxensemble/);
  }
  const tar = await gunzip(archive);
  for (let length = 0; length < 2_048; length += 97) {
    await assert.rejects(readArchive(await gzip(tar.slice(0, length))), /not a package/);
  }
  // The contents of the cookie.
  const at = tar.findIndex((_, index) => tar.subarray(index, index + 32).every((b) => b === 7));
  tar[at]! ^= 1;
  await assert.rejects(readArchive(await gzip(tar)), /cookie was changed/);
});

Deno.test("readArchive does not decompress what is too large", async () => {
  const bomb = await gzip(new Uint8Array(64 * 2 ** 20));
  assert.ok(bomb.length < 2 ** 20);
  await assert.rejects(readArchive(bomb), /more than 32 MiB when decompressed/);
});

/** A directory for unpacked files. */
async function withPlaces(work: (places: Places) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "gx" });
  try {
    await work(new Places(`${directory}/ensemble`, `${directory}/sockets`));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const modeAt = async (path: string) => (await Deno.stat(path)).mode! & 0o777;

Deno.test("unpackFiles writes files with their modes, and again only what is missing", async () => {
  await withPlaces(async (places) => {
    const first = await unpackFiles(FILES, { places, force: false });
    assert.deepEqual(first.unchanged, []);
    // The cookie last.
    assert.deepEqual(first.written, [places.knownServers, places.cookie]);
    assert.deepEqual(await Deno.readFile(places.cookie), COOKIE);
    assert.equal(await modeAt(places.cookie), 0o600);
    assert.equal(await modeAt(places.directory), 0o700);
    await Deno.remove(places.knownServers);
    assert.deepEqual(await unpackFiles(FILES, { places, force: false }), {
      written: [places.knownServers],
      unchanged: [places.cookie],
    });
  });
});

Deno.test("unpackFiles writes nothing over another cookie, unless it is forced", async () => {
  await withPlaces(async (places) => {
    await Deno.mkdir(places.directory);
    const own = new Uint8Array(32).fill(1);
    await Deno.writeFile(places.cookie, own, { mode: 0o600 });
    await assert.rejects(
      unpackFiles(FILES, { places, force: false }),
      /nothing was written, .*: the cookie is that of another ensemble, or an older one: \S+\/cookie; to replace/,
    );
    assert.deepEqual(await Deno.readFile(places.cookie), own);
    await assert.rejects(Deno.stat(places.knownServers), Deno.errors.NotFound);
    await unpackFiles(FILES, { places, force: true });
    assert.deepEqual(await Deno.readFile(places.cookie), COOKIE);
  });
});

Deno.test("unpackFiles says so when it cannot make a directory", async () => {
  await withPlaces(async (places) => {
    await Deno.mkdir(places.directory);
    await Deno.writeTextFile(`${places.directory}/server`, "a file");
    const name = "server/web1/tls/cert.pem";
    await assert.rejects(
      unpackFiles([{ name, contents: TEXT }], { places, force: false }),
      /cannot (?:make the directory of|read) \S+cert\.pem: /,
    );
    const below = new Places("/proc/none", "/proc/none");
    await assert.rejects(
      unpackFiles(FILES, { places: below, force: false }),
      /cannot make the directory of \/proc\/none\/known-servers: .*; name one that you can write/,
    );
  });
});

Deno.test("unpackFiles does not write through a link", async () => {
  await withPlaces(async (places) => {
    await Deno.mkdir(places.directory);
    const elsewhere = `${places.directory}/../elsewhere`;
    await Deno.writeTextFile(elsewhere, "mine");
    await Deno.symlink(elsewhere, places.knownServers);
    await assert.rejects(unpackFiles(FILES, { places, force: false }), /exist and differ/);
    await unpackFiles(FILES, { places, force: true });
    assert.equal(await Deno.readTextFile(elsewhere), "mine");
    assert.deepEqual(await Deno.readFile(places.knownServers), TEXT);
  });
});
