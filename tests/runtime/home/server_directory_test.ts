import assert from "node:assert/strict";
import { takeFileLock } from "../../../runtime/home/files.ts";
import { findPlaces } from "../../../runtime/home/paths.ts";
import {
  codeDirectory,
  holdServerDirectory,
  readServerProcess,
  removeLeftClients,
} from "../../../runtime/home/server_directory.ts";
import { hostName, localUnixAddress } from "../../../runtime/wire/address.ts";
import { listenAt } from "../../../runtime/wire/transport.ts";
import { Home } from "../ensemble/temporary_home.ts";

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
  const directory = findPlaces().server(A);
  (await holdServerDirectory(A, findPlaces()))[Symbol.dispose]();
  assert.equal(exists(directory), false);
  {
    using _held = await holdServerDirectory(A, findPlaces());
    Deno.writeTextFileSync(`${directory}/log`, "a line\n");
    const { pid, host } = (await readServerProcess(A, findPlaces()))!;
    assert.deepEqual({ pid, host }, { pid: Deno.pid, host: hostName() });
  }
  assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), [
    "lock",
    "log",
  ]);
});

Deno.test("holdServerDirectory makes a directory private", async () => {
  using _home = new Home();
  const directory = findPlaces().server(A);
  Deno.mkdirSync(directory, { recursive: true });
  Deno.chmodSync(directory, 0o755);
  using _held = await holdServerDirectory(A, findPlaces());
  assert.equal(Deno.statSync(directory).mode! & 0o777, 0o700);
});

Deno.test("holdServerDirectory admits one process at a time, while others come and go", async () => {
  using _home = new Home();
  let inside = 0;
  let entered = 0;
  await Promise.all(Array.from({ length: 10 }, async () => {
    while (entered < 40) {
      try {
        using _held = await holdServerDirectory(A, findPlaces());
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
  assert.equal(exists(findPlaces().server(A)), false);
});

Deno.test("holdServerDirectory waits while another process removes what killed clients left", async () => {
  using _home = new Home();
  Deno.mkdirSync(findPlaces().server(A), { recursive: true });
  const lock = (await takeFileLock(`${findPlaces().server(A)}/lock`))!;
  const holding = holdServerDirectory(A, findPlaces());
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
  const [dead, alive, kept] = ids as [typeof A, typeof A, typeof A];
  using _held = await holdServerDirectory(alive, findPlaces());
  for (const id of ids) {
    Deno.mkdirSync(codeDirectory(id, findPlaces()), { recursive: true });
    Deno.writeTextFileSync(`${codeDirectory(id, findPlaces())}/a.mjs`, "");
    if (id !== alive) Deno.writeTextFileSync(`${findPlaces().server(id)}/lock`, "");
  }
  Deno.writeTextFileSync(`${findPlaces().server(kept)}/log`, "");
  // A stale socket. It is renamed because the runtime removes the path that it knows.
  const listener = await listenAt(localUnixAddress(findPlaces().socket(alive)));
  const stale = Deno.listen({ transport: "unix", path: `${findPlaces().socket(dead)}.live` });
  Deno.renameSync(`${findPlaces().socket(dead)}.live`, findPlaces().socket(dead));
  stale.close();
  await removeLeftClients(findPlaces());
  assert.deepEqual(ids.filter((id) => !exists(findPlaces().server(id))), ["client-dead"]);
  assert.deepEqual(ids.filter((id) => !exists(codeDirectory(id, findPlaces()))), ["client-dead"]);
  assert.deepEqual([dead, alive].map((id) => exists(findPlaces().socket(id))), [false, true]);
  await listener.close();
});
