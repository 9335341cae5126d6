import assert from "node:assert/strict";
import { takeFileLock, withFileLock } from "../../../runtime/ensemble/file_lock.ts";

Deno.test("a lock that is no regular file is refused, and not waited for", async () => {
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
