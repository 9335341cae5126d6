import assert from "node:assert/strict";
import { EnsembleError } from "../../../runtime/errors.ts";
import { localUnixAddress } from "../../../runtime/wire/address.ts";
import {
  directoryOf,
  lockDirectory,
  requirePrivateDirectory,
} from "../../../runtime/wire/socket_directory.ts";
import { connectTo, listenAt } from "../../../runtime/wire/transport.ts";

/** Directories of one test. */
class Directories implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "gx" });

  /** The path of a file in it. */
  at(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Makes a directory with a mode, regardless of the umask. */
  make(name: string, mode = 0o700): string {
    Deno.mkdirSync(this.at(name), { recursive: true });
    Deno.chmodSync(this.at(name), mode);
    return this.at(name);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Asserts that an existing socket in the directory is neither listened on nor connected to. */
async function assertRefused(directory: string, reason: RegExp): Promise<void> {
  const path = `${directory}/server`;
  using listener = Deno.listen({ transport: "unix", path });
  let connected = false;
  const accepting = listener.accept().then((stream) => {
    connected = true;
    stream.close();
  }, () => {});
  await assert.rejects(connectTo(localUnixAddress(path)), (error) => {
    assert.ok(error instanceof EnsembleError);
    assert.match(error.message, reason);
    assert.ok(error.message.startsWith(`unix:${path}: `), error.message);
    return true;
  });
  await assert.rejects(listenAt(localUnixAddress(path)), (error) => {
    assert.ok(error instanceof EnsembleError);
    assert.match(error.message, reason);
    return true;
  });
  listener.close();
  await accepting;
  assert.ok(!connected);
}

Deno.test("connectTo refuses a socket in a directory that other users can enter", async () => {
  using directories = new Directories();
  for (const mode of [0o755, 0o770, 0o701, 0o710, 0o702, 0o777, 0o1777]) {
    const directory = directories.make(mode.toString(8), mode);
    await assertRefused(directory, /other users may enter .*; make it private with: chmod 700 \//);
  }
});

Deno.test("connectTo refuses a socket in a directory that is a link", async () => {
  using directories = new Directories();
  directories.make("real");
  Deno.symlinkSync(directories.at("real"), directories.at("link"));
  await assertRefused(
    directories.at("link"),
    /link is a symbolic link; set ENSEMBLE_SOCKET_DIR to/,
  );
});

Deno.test("connectTo refuses a socket below a directory that other users can write to", async () => {
  using directories = new Directories();
  for (const mode of [0o777, 0o770, 0o722]) {
    directories.make("parent", mode);
    const directory = directories.make("parent/sockets");
    await assertRefused(
      directory,
      /sockets can be replaced by other users, who may write to .*parent; .*: chmod go-w .*parent$/,
    );
    Deno.removeSync(directory, { recursive: true });
  }
  // In a sticky directory, only the owner of a file can rename it.
  directories.make("parent", 0o1777);
  requirePrivateDirectory(directories.make("parent/sockets"));
});

Deno.test("requirePrivateDirectory follows links, and checks the directories on the way", () => {
  using directories = new Directories();
  directories.make("open", 0o777);
  directories.make("open/sockets");
  directories.make("closed");
  directories.make("closed/sockets");
  const link = (to: string, name: string) => {
    Deno.symlinkSync(to, directories.at(name));
    return directories.at(name);
  };
  requirePrivateDirectory(`${link(directories.at("closed"), "good")}/sockets`);
  requirePrivateDirectory(`${link("./closed/../closed", "relative")}/sockets`);
  const through = /can be replaced by other users, who may write to .*open/;
  const bad = link(directories.at("open"), "bad");
  assert.throws(() => requirePrivateDirectory(`${bad}/sockets`), through);
  assert.throws(() => requirePrivateDirectory(`${link("bad", "twice")}/sockets`), through);
  assert.throws(
    () => requirePrivateDirectory(`${directories.path}/open/../closed/sockets`),
    through,
  );
});

Deno.test({
  name: "connectTo refuses a socket in or below a directory of another user",
  ignore: Deno.uid() !== 0,
  async fn() {
    using directories = new Directories();
    Deno.chownSync(directories.make("theirs"), 12_345, 12_345);
    await assertRefused(
      directories.at("theirs"),
      /theirs belongs to another user \(uid 12345\); set ENSEMBLE_SOCKET_DIR to a directory of yours/,
    );
    await assertRefused(
      directories.make("theirs/ours"),
      /ours can be replaced by another user \(uid 12345\), who owns .*theirs; set ENSEMBLE_SOCKET/,
    );
    // A link of another user in a sticky directory, such as /tmp.
    directories.make("sticky", 0o1777);
    directories.make("closed/sockets");
    Deno.symlinkSync(directories.at("closed"), directories.at("sticky/link"));
    const { success } = await new Deno.Command("chown", {
      args: ["-h", "12345:12345", directories.at("sticky/link")],
    }).output();
    assert.ok(success);
    assert.throws(
      () => requirePrivateDirectory(directories.at("sticky/link/sockets")),
      /can be replaced by another user \(uid 12345\), who owns .*sticky\/link;/,
    );
  },
});

Deno.test("connectTo reports a missing socket when there is no directory", async () => {
  using directories = new Directories();
  const path = directories.at("none/server");
  await assert.rejects(connectTo(localUnixAddress(path)), {
    message: `unix:${path}: no such socket`,
  });
});

Deno.test("lockDirectory grants the lock to one holder at a time", async () => {
  using directories = new Directories();
  let inside = 0;
  await Promise.all(Array.from({ length: 8 }, async () => {
    using _lock = await lockDirectory(directories.path);
    assert.equal(++inside, 1);
    await new Promise((resolve) => setTimeout(resolve, 1));
    inside--;
  }));
});

Deno.test("lockDirectory gives up when the lock is not released", async () => {
  using directories = new Directories();
  const lock = await lockDirectory(directories.path);
  await assert.rejects(
    lockDirectory(directories.path, 20),
    /another process has held .*\/\.lock for 0\.02 s: is a server stopped while it starts\?$/,
  );
  lock[Symbol.dispose]();
  (await lockDirectory(directories.path, 0))[Symbol.dispose]();
});

Deno.test("lockDirectory takes no lock on a file that was removed", async () => {
  using directories = new Directories();
  const { tryLock } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.tryLock = async function (exclusive) {
    Deno.FsFile.prototype.tryLock = tryLock;
    const locked = await this.tryLock(exclusive);
    Deno.removeSync(directories.at(".lock"));
    return locked;
  };
  using _held = await lockDirectory(directories.path);
  await assert.rejects(lockDirectory(directories.path, 20), /another process has held/);
});

Deno.test("directoryOf gives the directory of a path, and that of a name alone", () => {
  for (
    const [path, directory] of [
      ["/run/gx/a", "/run/gx"],
      ["/a", "/"],
      ["gx/a", "gx"],
      ["./a", "."],
      ["a", "."],
    ] as const
  ) assert.equal(directoryOf(path), directory, path);
});
