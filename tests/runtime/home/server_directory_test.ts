import assert from "node:assert/strict";
import { takeFileLock } from "../../../runtime/home/files.ts";
import { serverDirectory, socketPath } from "../../../runtime/home/paths.ts";
import {
  codeDirectory,
  holdServerDirectory,
  readServerProcess,
  removeLeftClients,
} from "../../../runtime/home/server_directory.ts";
import { hostName, localUnixAddress } from "../../../runtime/wire/address.ts";
import { listenAt } from "../../../runtime/wire/transport.ts";
import { Home } from "../ensemble/home.ts";

const A = "a";

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("holdServerDirectory leaves nothing behind, unless there is something to keep", async () => {
  using _home = new Home();
  const directory = serverDirectory(A);
  (await holdServerDirectory(A))[Symbol.dispose]();
  assert.equal(exists(directory), false);
  {
    using _held = await holdServerDirectory(A);
    Deno.writeTextFileSync(`${directory}/log`, "a line\n");
    const { pid, host } = (await readServerProcess(A))!;
    assert.deepEqual({ pid, host }, { pid: Deno.pid, host: hostName() });
  }
  assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), [
    "lock",
    "log",
  ]);
});

Deno.test("holdServerDirectory makes a directory private that others may enter", async () => {
  using _home = new Home();
  const directory = serverDirectory(A);
  Deno.mkdirSync(directory, { recursive: true });
  Deno.chmodSync(directory, 0o755);
  using _held = await holdServerDirectory(A);
  assert.equal(Deno.statSync(directory).mode! & 0o777, 0o700);
});

Deno.test("holdServerDirectory lets one in at a time, while others come and go", async () => {
  using _home = new Home();
  let inside = 0;
  let entered = 0;
  await Promise.all(Array.from({ length: 10 }, async () => {
    while (entered < 40) {
      try {
        using _held = await holdServerDirectory(A);
        assert.equal(++inside, 1);
        entered++;
        await new Promise((resolve) => setTimeout(resolve));
        inside--;
      } catch (error) {
        assert.match(
          (error as Error).message,
          /another process, \d+ on host \S+, is that server|another process is/,
        );
      }
    }
  }));
  assert.equal(exists(serverDirectory(A)), false);
});

Deno.test("holdServerDirectory waits while another process looks for what killed clients left", async () => {
  using _home = new Home();
  Deno.mkdirSync(serverDirectory(A), { recursive: true });
  const lock = (await takeFileLock(`${serverDirectory(A)}/lock`))!;
  const holding = holdServerDirectory(A);
  try {
    await Promise.race([holding, new Promise((resolve) => setTimeout(resolve, 40))]);
  } finally {
    lock[Symbol.dispose]();
  }
  (await holding)[Symbol.dispose]();
});

Deno.test("removeLeftClients removes what killed clients left, and nothing else", async () => {
  using _home = new Home();
  const ids = ["client-dead", "client-alive", "client-kept", "clients", "server1"];
  const [dead, alive, kept] = ids as [string, string, string];
  using _held = await holdServerDirectory(alive);
  for (const id of ids) {
    Deno.mkdirSync(codeDirectory(id), { recursive: true });
    Deno.writeTextFileSync(`${codeDirectory(id)}/a.mjs`, "");
    if (id !== alive) Deno.writeTextFileSync(`${serverDirectory(id)}/lock`, "");
  }
  Deno.writeTextFileSync(`${serverDirectory(kept)}/log`, "");
  // A socket on which nobody listens any more: the runtime removes the path that it knows.
  const listener = await listenAt(localUnixAddress(socketPath(alive)));
  const stale = Deno.listen({ transport: "unix", path: `${socketPath(dead)}.live` });
  Deno.renameSync(`${socketPath(dead)}.live`, socketPath(dead));
  stale.close();
  await removeLeftClients();
  assert.deepEqual(ids.filter((id) => !exists(serverDirectory(id))), ["client-dead"]);
  assert.deepEqual(ids.filter((id) => !exists(codeDirectory(id))), ["client-dead"]);
  assert.deepEqual([dead, alive].map((id) => exists(socketPath(id))), [false, true]);
  await listener.close();
});
