import assert from "node:assert/strict";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";

async function permissions(path: string): Promise<string> {
  return ((await Deno.stat(path)).mode! & 0o777).toString(8);
}

Deno.test("cookie makes 32 random bytes that only the owner can read", async () => {
  using ensemble = new TemporaryEnsemble();
  const { code, stdout } = await ensemble.run("cookie");
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "" });
  assert.equal((await Deno.readFile(ensemble.cookiePath)).length, 32);
  assert.equal(await permissions(ensemble.cookiePath), "600");
  assert.equal(await permissions(`${ensemble.gerbilPath}/ensemble`), "700");

  const seen = await ensemble.run("cookie", "--view");
  const cookie = await Deno.readFile(ensemble.cookiePath);
  const fingerprint = new Uint8Array(await crypto.subtle.digest("SHA-256", cookie)).toHex();
  assert.equal(seen.stdout, `(cookie: "${fingerprint}" "${ensemble.cookiePath}")\n`, seen.stderr);
});

Deno.test("cookie replaces a cookie only with -f", async () => {
  using ensemble = new TemporaryEnsemble();
  await ensemble.run("cookie");
  const first = await Deno.readFile(ensemble.cookiePath);

  const again = await ensemble.run("cookie");
  assert.equal(again.code, 1);
  assert.ok(
    again.stderr.startsWith(
      `gxensemble: error: a cookie exists already: ${ensemble.cookiePath}: to replace it, run ` +
        `"gxensemble cookie -f"`,
    ),
    again.stderr,
  );
  assert.deepEqual(await Deno.readFile(ensemble.cookiePath), first);

  assert.equal((await ensemble.run("cookie", "-f")).code, 0);
  assert.notDeepEqual(await Deno.readFile(ensemble.cookiePath), first);
  assert.equal(await permissions(ensemble.cookiePath), "600");
});

Deno.test("cookie makes one cookie when several run at once, and leaves no draft", async () => {
  using ensemble = new TemporaryEnsemble();
  const outcomes = await Promise.all(
    Array.from({ length: 4 }, () => ensemble.runProcess("cookie")),
  );
  assert.deepEqual(outcomes.map(({ code }) => code).sort(), [0, 1, 1, 1]);
  const files = Deno.readDirSync(`${ensemble.gerbilPath}/ensemble`).map(({ name }) => name);
  assert.deepEqual([...files], ["cookie"]);
});

Deno.test("cookie names the path that it cannot write", async () => {
  using ensemble = new TemporaryEnsemble();
  await Deno.writeTextFile(ensemble.gerbilPath, "a file, no directory");
  const { code, stderr } = await ensemble.run("cookie");
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^gxensemble: error: cannot write the cookie .*\/gerbil\/ensemble\/cookie: /,
  );
});
