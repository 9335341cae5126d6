import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { EnsembleError } from "../../../runtime/errors.ts";
import { localUnixAddress } from "../../../runtime/wire/address.ts";
import { SOCKET_CHECK_INTERVAL } from "../../../runtime/wire/limits.ts";
import { type Listener, nextStream } from "../../../runtime/wire/stream.ts";
import { listenAt } from "../../../runtime/wire/transport.ts";
import { type FakeClock, stopClock } from "../../fake_clock.ts";
import { ROOT, testWith } from "../../requirements.ts";

const CONFIGURATION = fileURLToPath(new URL("../../../deno.json", import.meta.url));
const LISTENER = new URL("../../../runtime/wire/transport.ts", import.meta.url).href;
const ADDRESS = new URL("../../../runtime/wire/address.ts", import.meta.url).href;

/** A private directory for the sockets of a test. */
class SocketDirectory implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "gx" });

  /** The names in it. */
  names(): string[] {
    return Array.from(Deno.readDirSync(this.path), ({ name }) => name).sort();
  }

  /** The path of a file in it. */
  at(name: string): string {
    return `${this.path}/${name}`;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

const { setTimeout: realTimeout } = globalThis;

function listen(path: string, onWarning?: (message: string) => void) {
  return listenAt(localUnixAddress(path), onWarning && { onWarning });
}

async function assertRefused(path: string, reason: RegExp): Promise<void> {
  await assert.rejects(listen(path), (error) => {
    assert.ok(error instanceof EnsembleError, String(error));
    assert.match(error.message, reason);
    assert.ok(error.message.includes(path));
    return true;
  });
}

/** Leaves a stale socket. It is renamed, because Deno removes the path that it knows. */
function leaveStaleSocket(path: string): void {
  const listener = Deno.listen({ transport: "unix", path: `${path}.live` });
  Deno.renameSync(`${path}.live`, path);
  listener.close();
  assert.ok(Deno.lstatSync(path).isSocket);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

async function assertServes(path: string, listener: { accept(): Promise<unknown> }) {
  using client = await Deno.connect({ transport: "unix", path });
  const accepted = await listener.accept() as { stream: { close(): void } };
  accepted.stream.close();
  assert.equal(await client.read(new Uint8Array(1)), null);
}

/** Accepts all streams, and closes them. */
async function serve(listener: Listener): Promise<void> {
  for (let next; (next = await listener.accept());) next.stream.close();
}

function modeOf(path: string): number {
  return Deno.lstatSync(path).mode! & 0o777;
}

Deno.test("listenAt makes the directories of a socket for this user alone", async () => {
  using directory = new SocketDirectory();
  const path = directory.at("a/b/server");
  const listener = await listen(path);
  assert.equal(modeOf(directory.at("a")), 0o700);
  assert.equal(modeOf(directory.at("a/b")), 0o700);
  assert.equal(modeOf(path), 0o600);
  const { dev: device, ino: inode } = Deno.lstatSync(path);
  assert.deepEqual(listener.address, { ...localUnixAddress(path), file: { device, inode } });
  await assertServes(path, listener);
  await listener.close();
});

Deno.test("accept returns a unix stream with the address of its listener", async () => {
  using directory = new SocketDirectory();
  const path = directory.at("server");
  const listener = await listen(path);
  using client = await Deno.connect({ transport: "unix", path });
  const accepted = (await listener.accept())!;
  assert.deepEqual(accepted.from, localUnixAddress(path));
  await client.write(new Uint8Array([1, 2, 3]));
  const buffer = new Uint8Array(10);
  assert.equal(await accepted.stream.read(buffer), 3);
  await accepted.stream.closeWrite();
  assert.equal(await client.read(buffer), null);
  accepted.stream.close();
  await listener.close();
});

Deno.test("listenAt refuses a directory that other users can enter", async () => {
  for (const mode of [0o755, 0o770, 0o701, 0o710, 0o702, 0o777]) {
    using directory = new SocketDirectory();
    Deno.mkdirSync(directory.at("open"));
    Deno.chmodSync(directory.at("open"), mode);
    const path = directory.at("open/server");
    await assertRefused(
      path,
      /other users may enter .*open; make it private with: chmod 700 .*open$/,
    );
    assert.equal(exists(path), false);
    assert.equal(modeOf(directory.at("open")), mode);
  }
});

testWith([ROOT], {
  name: "listenAt refuses a directory of another user",
  async fn() {
    using directory = new SocketDirectory();
    Deno.mkdirSync(directory.at("theirs"), { mode: 0o700 });
    Deno.chownSync(directory.at("theirs"), 12_345, 12_345);
    await assertRefused(directory.at("theirs/server"), /theirs belongs to another user/);
  },
});

Deno.test("listenAt refuses a link in place of the directory", async () => {
  using directory = new SocketDirectory();
  Deno.mkdirSync(directory.at("real"), { mode: 0o700 });
  Deno.symlinkSync(directory.at("real"), directory.at("link"));
  await assertRefused(
    directory.at("link/server"),
    /link is a symbolic link; set ENSEMBLE_SOCKET_DIR to a directory of yours/,
  );
});

Deno.test("listenAt refuses a file in place of the directory", async () => {
  using directory = new SocketDirectory();
  Deno.writeTextFileSync(directory.at("file"), "text");
  await assertRefused(
    directory.at("file/server"),
    /cannot listen at unix:.*cannot make the directory/,
  );
  assert.equal(Deno.readTextFileSync(directory.at("file")), "text");
});

Deno.test("listenAt replaces a stale socket", async () => {
  using directory = new SocketDirectory();
  const path = directory.at("server");
  leaveStaleSocket(path);
  const listener = await listen(path);
  await assertServes(path, listener);
  await listener.close();
});

Deno.test("listenAt replaces the socket of a process that was killed", async () => {
  using directory = new SocketDirectory();
  const path = directory.at("server");
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `--config=${CONFIGURATION}`,
      `import { listenAt } from ${JSON.stringify(LISTENER)};
       import { localUnixAddress } from ${JSON.stringify(ADDRESS)};
       const listener = await listenAt(localUnixAddress(${JSON.stringify(path)}));
       console.log("listening");
       while (true) await listener.accept();`,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = child.stdout.getReader();
  assert.equal(new TextDecoder().decode((await output.read()).value), "listening\n");
  await assertRefused(path, /a server with that id is already running here/);
  child.kill("SIGKILL");
  await child.status;
  await output.cancel();
  assert.ok(exists(path));
  const listener = await listen(path);
  await assertServes(path, listener);
  await listener.close();
});

Deno.test("listenAt refuses the path of a live socket, and leaves the socket alone", async () => {
  using directory = new SocketDirectory();
  const path = directory.at("server");
  const listener = await listen(path);
  for (let i = 0; i < 3; i++) {
    await assertRefused(
      path,
      /cannot listen at unix:.*: a server with that id is already running here$/,
    );
    // The connection that probed it was closed at once.
    (await listener.accept())!.stream.close();
  }
  await assertServes(path, listener);
  await listener.close();
});

Deno.test("listenAt does not replace a file or a directory at its path", async () => {
  using directory = new SocketDirectory();
  Deno.writeTextFileSync(directory.at("file"), "text");
  await assertRefused(directory.at("file"), /is in the way and is not a socket: remove it$/);
  assert.equal(Deno.readTextFileSync(directory.at("file")), "text");
  Deno.mkdirSync(directory.at("directory"));
  await assertRefused(directory.at("directory"), /is in the way/);
  leaveStaleSocket(directory.at("socket"));
  Deno.symlinkSync(directory.at("socket"), directory.at("link"));
  await assertRefused(directory.at("link"), /is in the way/);
  assert.ok(exists(directory.at("socket")));
});

Deno.test("listenAt refuses a path that is too long, and accepts the longest", async () => {
  using directory = new SocketDirectory();
  const limit = Deno.build.os === "darwin" ? 103 : 107;
  const name = "s".repeat(limit - directory.path.length - 1);
  const listener = await listen(directory.at(name));
  await assertServes(directory.at(name), listener);
  await listener.close();
  await assertRefused(
    directory.at(`${name}s`),
    new RegExp(
      `the path is ${limit + 1} bytes long, and a socket's path may have at most ${limit}`,
    ),
  );
  // Bytes count, not characters.
  const wide = directory.at("ü".repeat(Math.ceil((limit - directory.path.length) / 2)));
  assert.ok(wide.length < limit);
  await assertRefused(wide, /ENSEMBLE_SOCKET_DIR/);
});

Deno.test("exactly one of many listeners replaces a stale socket", async () => {
  using directory = new SocketDirectory();
  for (let round = 0; round < 20; round++) {
    const path = directory.at(`server${round}`);
    leaveStaleSocket(path);
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => listen(path)));
    const listeners = results.flatMap((each) => each.status === "fulfilled" ? [each.value] : []);
    assert.equal(listeners.length, 1);
    for (const each of results) {
      if (each.status === "rejected") assert.match(each.reason.message, /is already running here$/);
    }
    // Most of the others have probed it. A process that is starting has the stale socket open until
    // it runs its program, and may have answered a probe.
    const [listener] = listeners;
    const serving = serve(listener!);
    using client = await Deno.connect({ transport: "unix", path });
    assert.equal(await client.read(new Uint8Array(1)), null);
    await listener!.close();
    await serving;
    assert.equal(exists(path), false);
  }
});

Deno.test("exactly one of many processes replaces a stale socket", async () => {
  using directory = new SocketDirectory();
  const path = directory.at("server");
  leaveStaleSocket(path);
  const program = `import { listenAt } from ${JSON.stringify(LISTENER)};
    import { localUnixAddress } from ${JSON.stringify(ADDRESS)};
    const input = Deno.stdin.readable.getReader();
    console.log("ready");
    await input.read();
    try {
      await listenAt(localUnixAddress(${JSON.stringify(path)}));
      console.log("listening");
    } catch (error) {
      console.log(error.message);
    }
    await input.read();
    Deno.exit();`;
  const children = Array.from({ length: 4 }, () => {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", `--config=${CONFIGURATION}`, program],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    return { child, lines, input: child.stdin.getWriter() };
  });
  const readAll = () =>
    Promise.all(children.map(async ({ lines }) => (await lines.read()).value?.trim()));
  assert.deepEqual(new Set(await readAll()), new Set(["ready"]));
  await Promise.all(children.map(({ input }) => input.write(new Uint8Array([10]))));
  const results = await readAll();
  assert.equal(results.filter((line) => line === "listening").length, 1, results.join("\n"));
  assert.equal(results.filter((line) => line?.endsWith("is already running here")).length, 3);
  await Promise.all(children.map(async ({ child, lines, input }) => {
    await input.close();
    await child.status;
    await lines.cancel();
  }));
});

Deno.test("close removes the socket once, and ends a pending accept", async () => {
  using directory = new SocketDirectory();
  const path = directory.at("server");
  const listener = await listen(path);
  const waiting = listener.accept();
  const closing = listener.close();
  assert.equal(await waiting, undefined);
  await closing;
  assert.equal(await listener.accept(), undefined);
  assert.equal(exists(path), false);
  const next = await listen(path);
  await listener.close();
  await assertServes(path, next);
  await next.close();
});

Deno.test("close does not remove the next socket at its path", async () => {
  using directory = new SocketDirectory();
  const path = directory.at("server");
  let listener = await listen(path);
  for (let i = 0; i < 20; i++) {
    const serving = serve(listener);
    const closing = listener.close();
    let next: Listener | undefined;
    while (!next) next = await listen(path).catch(() => undefined);
    await closing;
    await serving;
    await assertServes(path, next);
    listener = next;
  }
  await listener.close();
  assert.deepEqual(directory.names(), [".lock"]);
});

Deno.test("close does not remove another server's socket or other files", async () => {
  using directory = new SocketDirectory();
  const path = directory.at("server");
  const first = await listen(path);
  Deno.removeSync(path);
  const second = await listen(path);
  await first.close();
  await assertServes(path, second);
  await second.close();

  const third = await listen(path);
  Deno.removeSync(path);
  Deno.writeTextFileSync(path, "mine");
  await third.close();
  assert.equal(Deno.readTextFileSync(path), "mine");
  Deno.removeSync(path);
  const fourth = await listen(path);
  Deno.removeSync(path);
  await fourth.close();
});

Deno.test("nextStream continues after accept fails", async () => {
  let attempts = 0;
  const stream = await nextStream({
    accept() {
      if (++attempts === 1) return Promise.reject(new Error("Too many open files"));
      return Promise.resolve("stream");
    },
  });
  assert.equal(stream, "stream");
  assert.equal(attempts, 2);
});

/** Stops the checks for a missing socket. A lock that another process holds is still retried. */
function stopChecks(): FakeClock {
  return stopClock("setInterval", "clearInterval");
}

/** Lets a listener check its socket, and make it again. */
async function lookAgain(clock: FakeClock, until: () => boolean): Promise<void> {
  await clock.tickAsync(SOCKET_CHECK_INTERVAL);
  const deadline = performance.now() + 10_000;
  while (!until() && performance.now() < deadline) {
    await clock.tickAsync(5);
    await new Promise((resolve) => realTimeout(resolve, 1));
  }
  assert.ok(until());
}

for (const lost of ["socket", "directory", "parent"] as const) {
  Deno.test(`listenAt makes its socket again when the ${lost} is removed, and reports it once`, async () => {
    using clock = stopChecks();
    using directory = new SocketDirectory();
    const path = directory.at("a/b/server");
    const warnings: string[] = [];
    const listener = await listen(path, (message) => void warnings.push(message));
    const standing = await Deno.connect({ transport: "unix", path });
    const { stream } = (await listener.accept())!;
    const waiting = listener.accept();
    for (let round = 0; round < 2; round++) {
      const target = { socket: path, directory: directory.at("a/b"), parent: directory.at("a") };
      Deno.removeSync(target[lost], { recursive: true });
      await lookAgain(clock, () => exists(path));
      assert.deepEqual(warnings.splice(0), [
        `the socket ${path} had vanished, and was created again`,
      ]);
      await clock.tickAsync(3 * SOCKET_CHECK_INTERVAL);
      assert.deepEqual(warnings, []);
    }
    assert.equal(modeOf(path), 0o600);
    assert.equal(modeOf(directory.at("a/b")), 0o700);
    // A pending accept gets the streams of the new socket, and open streams continue.
    using client = await Deno.connect({ transport: "unix", path });
    const accepted = (await waiting)!;
    await client.write(new Uint8Array([1]));
    assert.equal(await accepted.stream.read(new Uint8Array(1)), 1);
    await standing.write(new Uint8Array([1]));
    assert.equal(await stream.read(new Uint8Array(1)), 1);
    for (const each of [standing, stream, accepted.stream]) each.close();
    await listener.close();
    assert.equal(exists(path), false);
    assert.equal(clock.countTimers(), 0);
  });
}

Deno.test("listenAt reports once why it cannot make its socket again, and keeps trying", async () => {
  using clock = stopChecks();
  using directory = new SocketDirectory();
  Deno.mkdirSync(directory.at("sockets"), { mode: 0o700 });
  const path = directory.at("sockets/server");
  const warnings: string[] = [];
  const listener = await listen(path, (message) => void warnings.push(message));
  Deno.removeSync(directory.at("sockets"), { recursive: true });
  Deno.mkdirSync(directory.at("sockets"));
  Deno.chmodSync(directory.at("sockets"), 0o755);
  await lookAgain(clock, () => warnings.length > 0);
  assert.match(
    warnings.splice(0).join(),
    /^the socket .* has vanished and cannot be created again: other users may enter .*sockets; make it/,
  );
  for (let i = 0; i < 3; i++) await clock.tickAsync(SOCKET_CHECK_INTERVAL);
  assert.deepEqual(warnings, []);
  Deno.chmodSync(directory.at("sockets"), 0o700);
  await lookAgain(clock, () => warnings.length > 0);
  await assertServes(path, listener);
  await listener.close();
});

Deno.test("listenAt leaves its path to a server that took it, until that server is gone", async () => {
  using clock = stopChecks();
  using directory = new SocketDirectory();
  const path = directory.at("server");
  const warnings: string[] = [];
  const first = await listen(path, (message) => void warnings.push(message));
  Deno.removeSync(path);
  const second = await listen(path);
  await lookAgain(clock, () => warnings.length > 0);
  assert.match(warnings.splice(0).join(), /: a server with that id is already running here$/);
  // The listener probed it.
  (await second.accept())!.stream.close();
  await assertServes(path, second);
  await second.close();
  await lookAgain(clock, () => exists(path));
  await assertServes(path, first);
  await first.close();
});

Deno.test("listenAt does not replace a socket with a full backlog", async () => {
  using directory = new SocketDirectory();
  const path = directory.at("server");
  const busy = Deno.listen({ transport: "unix", path });
  const waiting: Deno.Conn[] = [];
  let full: unknown;
  while (!full) {
    await Deno.connect({ transport: "unix", path }).then(
      (connection) => void waiting.push(connection),
      (error) => full = error,
    );
  }
  assert.ok(full instanceof Deno.errors.WouldBlock, `${full}`);
  const { ino } = Deno.lstatSync(path);
  await assertRefused(path, /a server with that id is already running here$/);
  assert.equal(Deno.lstatSync(path).ino, ino);
  for (const connection of waiting) connection.close();
  busy.close();
});

Deno.test("listenAt holds a shared lock on the directory, which keeps cleaners away", async () => {
  using directory = new SocketDirectory();
  const cleaner = async () => {
    using file = Deno.openSync(directory.path);
    return await file.tryLock(true);
  };
  const first = await listen(directory.at("first"));
  assert.equal(await cleaner(), false);
  const second = await listen(directory.at("second"));
  await first.close();
  assert.equal(await cleaner(), false);
  await second.close();
  assert.equal(await cleaner(), true);
});

Deno.test({
  name: "listenAt binds at the path itself, by which cleaners recognize a socket in use",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using directory = new SocketDirectory();
    const path = directory.at("server");
    const listener = await listen(path);
    const { ino } = Deno.lstatSync(path);
    const lines = Deno.readTextFileSync("/proc/net/unix").split("\n");
    assert.ok(ino && lines.some((line) => line.endsWith(` ${path}`)));
    await listener.close();
  },
});

Deno.test("a listener whose socket cannot be made again ends when it is closed", async () => {
  using clock = stopChecks();
  using directory = new SocketDirectory();
  const path = directory.at("sockets/server");
  const warnings: string[] = [];
  const listener = await listen(path, (message) => void warnings.push(message));
  const waiting = listener.accept();
  Deno.removeSync(directory.at("sockets"), { recursive: true });
  Deno.writeTextFileSync(directory.at("sockets"), "a file");
  await lookAgain(clock, () => warnings.length > 0);
  await listener.close();
  assert.equal(await waiting, undefined);
  assert.equal(Deno.readTextFileSync(directory.at("sockets")), "a file");
});
