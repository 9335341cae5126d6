import assert from "node:assert/strict";
import { EnsembleError } from "../../../runtime/errors.ts";
import { MAX_FILE, readRegularFile, readSecretFile } from "../../../runtime/home/files.ts";
import { ROOT, testWith } from "../../requirements.ts";

/** A directory of one test. */
class Directory implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "gx-" });

  /** Writes a file with a mode, whatever the umask is. */
  write(name: string, mode: number): string {
    const path = `${this.path}/${name}`;
    Deno.writeTextFileSync(path, "secret");
    Deno.chmodSync(path, mode);
    return path;
  }

  /** Makes a named pipe, which has no writer. */
  async pipe(name: string): Promise<string> {
    const path = `${this.path}/${name}`;
    const { success } = await new Deno.Command("mkfifo", { args: ["-m", "600", path] }).output();
    assert.ok(success);
    return path;
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

Deno.test("readSecretFile reads what only its owner has access to", async () => {
  using directory = new Directory();
  for (const mode of [0o600, 0o400, 0o700]) {
    const path = directory.write(`${mode}`, mode);
    assert.equal(new TextDecoder().decode(await readSecretFile(path, "key")), "secret");
  }
});

Deno.test("readSecretFile refuses what others have access to, and says what to do", async () => {
  using directory = new Directory();
  for (const mode of [0o640, 0o604, 0o644, 0o666, 0o440, 0o777]) {
    const path = directory.write(`${mode}`, mode);
    const octal = mode.toString(8);
    await assertRefused(
      readSecretFile(path, "private key"),
      `others can read the private key ${path} (mode ${octal}): run "chmod 600 ${path}"`,
    );
    assert.equal(new TextDecoder().decode(await readRegularFile(path)), "secret");
  }
  for (const mode of [0o620, 0o602, 0o610]) {
    const path = directory.write(`${mode}`, mode);
    const octal = mode.toString(8);
    await assertRefused(
      readSecretFile(path, "cookie"),
      `others have access to the cookie ${path} (mode ${octal}): run "chmod 600 ${path}"`,
    );
  }
});

Deno.test("readSecretFile refuses a file in a directory that anybody may write to", async () => {
  using directory = new Directory();
  const path = directory.write("key", 0o600);
  for (const mode of [0o777, 0o703]) {
    Deno.chmodSync(directory.path, mode);
    await assertRefused(
      readSecretFile(path, "private key"),
      `others can put another file in the place of the private key ${path}: ` +
        `run "chmod o-w ${directory.path}"`,
    );
    assert.equal(new TextDecoder().decode(await readRegularFile(path)), "secret");
  }
  // As /tmp is one, and where groups of one user are the custom.
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

Deno.test("readSecretFile looks at the file that a link leads to", async () => {
  using directory = new Directory();
  directory.write("open", 0o644);
  directory.write("closed", 0o600);
  for (const name of ["open", "closed"]) {
    Deno.symlinkSync(`${directory.path}/${name}`, `${directory.path}/to-${name}`);
  }
  await assert.rejects(readSecretFile(`${directory.path}/to-open`, "key"), /others can read/);
  assert.equal((await readSecretFile(`${directory.path}/to-closed`, "key")).length, 6);
});

for (
  const [name, read] of [
    ["readRegularFile", readRegularFile],
    ["readSecretFile", (path: string) => readSecretFile(path, "key")],
  ] as const
) {
  const called = (path: string) => name === "readSecretFile" ? `the key ${path}` : path;

  Deno.test(`${name} refuses a directory, a named pipe and a device, and does not wait`, async () => {
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
    await assertRefused(read(device), `cannot read ${called(device)}: it is no regular file`);
  });

  Deno.test(`${name} reads no file that is too large, whatever size it says that it has`, async () => {
    using directory = new Directory();
    const path = directory.write("sparse", 0o600);
    Deno.truncateSync(path, MAX_FILE);
    assert.equal((await read(path)).length, MAX_FILE);
    Deno.truncateSync(path, 2 ** 40);
    await assertRefused(read(path), `cannot read ${called(path)}: it is larger than 16 MiB`);
  });

  Deno.test(`${name} leaves it to the caller when there is no file`, async () => {
    using directory = new Directory();
    await assert.rejects(read(`${directory.path}/none`), Deno.errors.NotFound);
  });
}
