import assert from "node:assert/strict";
import { EnsembleError } from "../../../runtime/errors.ts";
import {
  MAX_FILE,
  readRegularFile,
  readSecretFile,
  removeDurably,
  takeFileLock,
  withFileLock,
  writeWhole,
} from "../../../runtime/home/files.ts";
import { ROOT, testWith } from "../../requirements.ts";

/** A directory of one test. */
class Directory implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "gx-" });

  /** Writes a file with a mode, regardless of the umask. */
  write(name: string, mode: number): string {
    const path = `${this.path}/${name}`;
    Deno.writeTextFileSync(path, "secret");
    Deno.chmodSync(path, mode);
    return path;
  }

  /** Makes a named pipe without a writer. */
  async pipe(name: string): Promise<string> {
    const path = `${this.path}/${name}`;
    const { success } = await new Deno.Command("mkfifo", { args: ["-m", "600", path] }).output();
    assert.ok(success);
    return path;
  }

  /** The names in it. */
  names(): string[] {
    return Array.from(Deno.readDirSync(this.path), ({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

async function assertRefused(reading: Promise<unknown>, message: string): Promise<void> {
  await assert.rejects(reading, (error) => {
    assert.ok(error instanceof EnsembleError);
    assert.equal(error.message, message);
    return true;
  });
}

Deno.test("readSecretFile reads a file that only its owner can access", async () => {
  using directory = new Directory();
  for (const mode of [0o600, 0o400, 0o700]) {
    const path = directory.write(`${mode}`, mode);
    assert.equal(new TextDecoder().decode(await readSecretFile(path, "key")), "secret");
  }
});

Deno.test("readSecretFile refuses a file that others can access, and says what to do", async () => {
  using directory = new Directory();
  for (const mode of [0o640, 0o604, 0o644, 0o666, 0o440, 0o777]) {
    const path = directory.write(`${mode}`, mode);
    const octal = mode.toString(8);
    await assertRefused(
      readSecretFile(path, "private key"),
      `other users can read the private key ${path} (mode ${octal}): run "chmod 600 ${path}"`,
    );
    assert.equal(new TextDecoder().decode(await readRegularFile(path)), "secret");
  }
  for (const mode of [0o620, 0o602, 0o610]) {
    const path = directory.write(`${mode}`, mode);
    const octal = mode.toString(8);
    await assertRefused(
      readSecretFile(path, "cookie"),
      `other users have access to the cookie ${path} (mode ${octal}): run "chmod 600 ${path}"`,
    );
  }
});

Deno.test("readSecretFile refuses a file in a directory that any user can write to", async () => {
  using directory = new Directory();
  const path = directory.write("key", 0o600);
  for (const mode of [0o777, 0o703]) {
    Deno.chmodSync(directory.path, mode);
    await assertRefused(
      readSecretFile(path, "private key"),
      `other users can replace the private key ${path}: ` +
        `run "chmod o-w ${directory.path}"`,
    );
    assert.equal(new TextDecoder().decode(await readRegularFile(path)), "secret");
  }
  // Like /tmp, and like directories on systems where each user has a group.
  for (const mode of [0o1777, 0o775]) {
    Deno.chmodSync(directory.path, mode);
    assert.equal(new TextDecoder().decode(await readSecretFile(path, "private key")), "secret");
  }
});

testWith([ROOT], {
  name: "readSecretFile refuses a file of another user",
  async fn() {
    using directory = new Directory();
    const path = directory.write("key", 0o600);
    Deno.chownSync(path, 12345, null);
    await assertRefused(
      readSecretFile(path, "private key"),
      `the private key ${path} belongs to another user (uid 12345): run "chown 0" on it`,
    );
  },
});

Deno.test("readSecretFile checks the file that a link leads to", async () => {
  using directory = new Directory();
  directory.write("open", 0o644);
  directory.write("closed", 0o600);
  for (const name of ["open", "closed"]) {
    Deno.symlinkSync(`${directory.path}/${name}`, `${directory.path}/to-${name}`);
  }
  await assert.rejects(readSecretFile(`${directory.path}/to-open`, "key"), /other users can read/);
  assert.equal((await readSecretFile(`${directory.path}/to-closed`, "key")).length, 6);
});

for (
  const [name, read] of [
    ["readRegularFile", readRegularFile],
    ["readSecretFile", (path: string) => readSecretFile(path, "key")],
  ] as const
) {
  const called = (path: string) => name === "readSecretFile" ? `the key ${path}` : path;

  Deno.test(`${name} refuses a directory, a named pipe and a device without blocking`, async () => {
    using directory = new Directory();
    const pipe = await directory.pipe("pipe");
    let waited = false;
    const deadline = setTimeout(() => {
      waited = true;
      Deno.openSync(pipe, { read: true, write: true }).close(); // Ends the wait.
    }, 5_000);
    await assertRefused(read(pipe), `cannot read ${called(pipe)}: it is a named pipe`);
    clearTimeout(deadline);
    assert.ok(!waited, "it waited for a writer");
    const { path } = directory;
    await assertRefused(read(path), `cannot read ${called(path)}: it is a directory`);
    const device = "/dev/null";
    await assertRefused(read(device), `cannot read ${called(device)}: it is not a regular file`);
  });

  Deno.test(`${name} refuses a file that is too large, for any reported size`, async () => {
    using directory = new Directory();
    const path = directory.write("sparse", 0o600);
    Deno.truncateSync(path, MAX_FILE);
    assert.equal((await read(path)).length, MAX_FILE);
    Deno.truncateSync(path, 2 ** 40);
    await assertRefused(read(path), `cannot read ${called(path)}: it is larger than 16 MiB`);
  });

  Deno.test(`${name} leaves a missing file to the caller`, async () => {
    using directory = new Directory();
    await assert.rejects(read(`${directory.path}/none`), Deno.errors.NotFound);
  });
}

function modeOf(path: string): number {
  return Deno.statSync(path).mode! & 0o777;
}

/**
 * Records, until disposed, the system calls that make files and flush them to disk. A kill does not
 * reveal a missing sync, and a test cannot cut the power.
 */
class Recording implements Disposable {
  readonly calls: string[] = [];
  readonly #restore = new DisposableStack();

  constructor() {
    const paths = new WeakMap<Deno.FsFile, string>();
    const name = (path: string | URL) => `${path}`.replace(/\.[0-9a-f-]{36}$/, ".draft");
    this.#replace(Deno, "open", (open) => async (path, options) => {
      const file = await open(path, options);
      paths.set(file, name(path));
      return file;
    });
    this.#replace(Deno, "rename", (rename) => async (from, to) => {
      await rename(from, to);
      this.calls.push(`rename ${name(from)} ${to}`);
    });
    this.#replace(Deno, "link", (link) => async (from, to) => {
      await link(from, to);
      this.calls.push(`link ${name(from)} ${to}`);
    });
    const { calls } = this;
    this.#replace(
      Deno.FsFile.prototype,
      "write",
      (write) =>
        async function (this: Deno.FsFile, bytes) {
          calls.push(`write ${paths.get(this)}`);
          return await write.call(this, bytes);
        },
    );
    this.#replace(Deno.FsFile.prototype, "sync", (sync) =>
      async function (this: Deno.FsFile) {
        await sync.call(this);
        calls.push(`sync ${paths.get(this)}`);
      });
  }

  #replace<Owner, Name extends keyof Owner>(
    owner: Owner,
    name: Name,
    make: (old: Owner[Name]) => Owner[Name],
  ): void {
    const old = owner[name];
    owner[name] = make(old);
    this.#restore.defer(() => void (owner[name] = old));
  }

  [Symbol.dispose](): void {
    this.#restore.dispose();
  }
}

for (const replace of [true, false]) {
  const how = replace ? "replaces" : "makes";

  Deno.test(`writeWhole syncs a file before it ${how} the name, and then the directory`, async () => {
    using directory = new Directory();
    const path = `${directory.path}/file`;
    if (replace) Deno.writeTextFileSync(path, "old");
    using recording = new Recording();
    await writeWhole(path, "new", { mode: 0o600, replace });
    assert.deepEqual(recording.calls, [
      `write ${path}.draft`,
      `sync ${path}.draft`,
      `${replace ? "rename" : "link"} ${path}.draft ${path}`,
      `sync ${directory.path}`,
    ]);
    assert.equal(Deno.readTextFileSync(path), "new");
    assert.deepEqual(directory.names(), ["file"]);
  });
}

Deno.test("writeWhole sets a file's mode, for any mode of the old one", async () => {
  using directory = new Directory();
  const path = `${directory.path}/file`;
  for (const [old, mode] of [[0o644, 0o600], [0o666, 0o600], [0o600, 0o644]] as const) {
    Deno.writeTextFileSync(path, "old");
    Deno.chmodSync(path, old);
    await writeWhole(path, "new", { mode, replace: true });
    assert.equal(modeOf(path), mode);
  }
});

Deno.test("writeWhole replaces a file while readers keep the old one complete", async () => {
  using directory = new Directory();
  const path = `${directory.path}/file`;
  Deno.writeTextFileSync(path, "the old text");
  using reader = Deno.openSync(path);
  await writeWhole(path, "new", { mode: 0o600, replace: true });
  const buffer = new Uint8Array(100);
  assert.equal(
    new TextDecoder().decode(buffer.subarray(0, reader.readSync(buffer)!)),
    "the old text",
  );
  assert.equal(Deno.readTextFileSync(path), "new");
});

Deno.test("writeWhole replaces a link, not its target", async () => {
  using directory = new Directory();
  Deno.writeTextFileSync(`${directory.path}/target`, "target");
  Deno.symlinkSync(`${directory.path}/target`, `${directory.path}/link`);
  await writeWhole(`${directory.path}/link`, "new", { mode: 0o600, replace: true });
  assert.equal(Deno.readTextFileSync(`${directory.path}/target`), "target");
  assert.ok(Deno.lstatSync(`${directory.path}/link`).isFile);
});

Deno.test("writeWhole does not replace an existing file unless told to", async () => {
  using directory = new Directory();
  const path = `${directory.path}/file`;
  Deno.writeTextFileSync(path, "old");
  await assert.rejects(
    writeWhole(path, "new", { mode: 0o600, replace: false }),
    Deno.errors.AlreadyExists,
  );
  assert.equal(Deno.readTextFileSync(path), "old");
  assert.deepEqual(directory.names(), ["file"]);
});

Deno.test("writeWhole lets exactly one of many processes make a file", async () => {
  using directory = new Directory();
  const path = `${directory.path}/file`;
  const texts = Array.from({ length: 10 }, (_, i) => `text ${i}`);
  const results = await Promise.allSettled(
    texts.map((text) => writeWhole(path, text, { mode: 0o600, replace: false })),
  );
  const winners = texts.filter((_, i) => results[i]!.status === "fulfilled");
  assert.deepEqual(winners, [Deno.readTextFileSync(path)]);
  assert.deepEqual(directory.names(), ["file"]);
});

Deno.test("writeWhole continues after partial writes until all bytes are written", async () => {
  using directory = new Directory();
  const path = `${directory.path}/file`;
  const { write } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.write = function (bytes) {
    return write.call(this, bytes.subarray(0, 3));
  };
  try {
    await writeWhole(path, "0123456789", { mode: 0o600, replace: false });
  } finally {
    Deno.FsFile.prototype.write = write;
  }
  assert.equal(Deno.readTextFileSync(path), "0123456789");
});

Deno.test("writeWhole leaves nothing behind when it fails, and says why", async () => {
  using directory = new Directory();
  Deno.mkdirSync(`${directory.path}/taken/inside`, { recursive: true });
  await assert.rejects(
    writeWhole(`${directory.path}/taken`, "new", { mode: 0o600, replace: true }),
    (error) => error instanceof EnsembleError && /^cannot write .*taken: /.test(error.message),
  );
  await assert.rejects(
    writeWhole(`${directory.path}/none/file`, "new", { mode: 0o600, replace: true }),
    EnsembleError,
  );
  assert.deepEqual(directory.names(), ["taken"]);
});

Deno.test("a lock that is not a regular file is refused without blocking", async () => {
  const directory = await Deno.makeTempDir({ prefix: "gx-" });
  const path = `${directory}/lock`;
  const made = await new Deno.Command("mkfifo", { args: [path] }).output();
  assert.ok(made.success);
  let waited = false;
  const deadline = setTimeout(() => {
    waited = true;
    Deno.openSync(path, { read: true, write: true }).close(); // Ends the wait.
  }, 5_000);
  const refused = { message: `cannot lock ${path}: it is a named pipe` };
  await assert.rejects(withFileLock(path, () => Promise.resolve()), refused);
  await assert.rejects(takeFileLock(path), refused);
  clearTimeout(deadline);
  assert.ok(!waited, "it waited for a reader");
  await Deno.remove(directory, { recursive: true });
});

Deno.test("removeDurably removes a file, and says why it cannot", async () => {
  using directory = new Directory();
  const path = directory.write("secret", 0o600);
  await removeDurably(path);
  await assert.rejects(removeDurably(path), Deno.errors.NotFound);
  directory.write("other", 0o600);
  await assert.rejects(removeDurably(directory.path), (error) => {
    assert.ok(error instanceof EnsembleError);
    assert.match(error.message, /^cannot remove \/\S+: Directory not empty/);
    return true;
  });
});
