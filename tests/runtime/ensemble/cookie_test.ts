import assert from "node:assert/strict";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";

const COOKIE = JSON.stringify(new URL("../../../runtime/ensemble/cookie.ts", import.meta.url).href);

/** Reads the cookie in a process whose environment points to the ensemble; its length, or why not. */
async function readCookie(ensemble: TemporaryEnsemble): Promise<string> {
  const { stdout } = await ensemble.evaluate(`
    import { readCookie } from ${COOKIE};
    await readCookie().then(
      (cookie) => console.log(cookie.length + " bytes"),
      (error) => console.log(error.name + ": " + error.message),
    );
  `);
  return stdout.trimEnd();
}

async function writeCookie(ensemble: TemporaryEnsemble, bytes: number, mode: number) {
  await Deno.mkdir(`${ensemble.gerbilPath}/ensemble`, { recursive: true });
  await Deno.writeFile(ensemble.cookiePath, new Uint8Array(bytes));
  await Deno.chmod(ensemble.cookiePath, mode);
}

Deno.test("a cookie that was made is read", async () => {
  using ensemble = new TemporaryEnsemble();
  const { stdout } = await ensemble.evaluate(`
    import { createCookie, readCookie } from ${COOKIE};
    const path = await createCookie();
    const cookie = await readCookie();
    console.log(path, cookie.toHex() === Deno.readFileSync(path).toHex());
  `);
  assert.equal(stdout, `${ensemble.cookiePath} true\n`);
});

Deno.test("a missing cookie: the error says how to make one, and where it was looked for", async () => {
  using ensemble = new TemporaryEnsemble();
  assert.equal(
    await readCookie(ensemble),
    `EnsembleError: no cookie at ${ensemble.cookiePath}: make one with "gxensemble cookie", or ` +
      "copy there that of the ensemble to join",
  );
});

Deno.test("a cookie that others can read is refused", async () => {
  using ensemble = new TemporaryEnsemble();
  for (const mode of [0o644, 0o640, 0o604]) {
    await writeCookie(ensemble, 32, mode);
    const message = await readCookie(ensemble);
    assert.match(message, /^EnsembleError: others can read the cookie .* \(mode 6\d\d\)/);
    assert.ok(message.endsWith(`run "chmod 600 ${ensemble.cookiePath}"`), message);
  }
  await writeCookie(ensemble, 32, 0o400);
  assert.equal(await readCookie(ensemble), "32 bytes");
});

Deno.test("a cookie of the wrong length is refused", async () => {
  using ensemble = new TemporaryEnsemble();
  for (const bytes of [0, 31, 33]) {
    await writeCookie(ensemble, bytes, 0o600);
    assert.equal(
      await readCookie(ensemble),
      `EnsembleError: not a cookie: ${ensemble.cookiePath}: it has ${bytes} bytes where a cookie ` +
        "has 32",
    );
  }
});

Deno.test("a directory in the cookie's place is refused", async () => {
  using ensemble = new TemporaryEnsemble();
  await Deno.mkdir(ensemble.cookiePath, { recursive: true });
  assert.match(await readCookie(ensemble), /cannot read the cookie .*: it is a directory$/);
});
