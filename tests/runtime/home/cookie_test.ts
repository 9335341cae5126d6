import assert from "node:assert/strict";
import { findPlaces } from "../../../runtime/home/paths.ts";
import { EnsembleError } from "../../../runtime/errors.ts";
import { createCookie, readCookie, readCookies } from "../../../runtime/home/cookie.ts";
import { Home, makePipe } from "../ensemble/temporary_home.ts";

/** The ensemble directory of a test, and the path of its cookie. */
class CookieHome extends Home {
  readonly cookiePath = `${this.directory}/cookie`;

  write(bytes: number | Uint8Array, mode = 0o600): void {
    Deno.writeFileSync(this.cookiePath, typeof bytes === "number" ? new Uint8Array(bytes) : bytes);
    Deno.chmodSync(this.cookiePath, mode);
  }

  async refusal(): Promise<string> {
    const error = await readCookie(findPlaces()).then(
      () => assert.fail("it was read"),
      (error) => error,
    );
    assert.ok(error instanceof EnsembleError, error.stack);
    return error.message.replaceAll(this.cookiePath, "PATH");
  }
}

Deno.test("readCookie reads a new cookie", async () => {
  using home = new CookieHome();
  assert.equal(await createCookie(findPlaces()), home.cookiePath);
  assert.deepEqual(await readCookie(findPlaces()), Deno.readFileSync(home.cookiePath));
});

Deno.test("readCookies reads the next cookie, too, which has to be as private", async () => {
  using home = new CookieHome();
  home.write(new Uint8Array(32).fill(1));
  assert.deepEqual(await readCookies(findPlaces()), [new Uint8Array(32).fill(1)]);
  const { nextCookie } = findPlaces();
  assert.equal(nextCookie, `${home.cookiePath}.next`);
  Deno.writeFileSync(nextCookie, new Uint8Array(32).fill(2), { mode: 0o600 });
  const both = [new Uint8Array(32).fill(2), new Uint8Array(32).fill(1)];
  assert.deepEqual(await readCookies(findPlaces()), both);
  Deno.chmodSync(nextCookie, 0o640);
  await assert.rejects(readCookies(findPlaces()), /other users can read the cookie .*cookie\.next/);
  Deno.chmodSync(nextCookie, 0o600);
  Deno.writeFileSync(nextCookie, new Uint8Array(31));
  await assert.rejects(readCookies(findPlaces()), /not a cookie: .*cookie\.next: it has 31 bytes/);
  Deno.removeSync(home.cookiePath);
  await assert.rejects(readCookies(findPlaces()), /not a cookie|no cookie at/);
});

Deno.test("a missing cookie is an error that says how to make one, and where it was expected", async () => {
  using home = new CookieHome();
  assert.equal(
    await home.refusal(),
    'no cookie at PATH: make one with "gxensemble cookie", or copy that of the ensemble to join',
  );
});

Deno.test("a cookie that other users can read is refused", async () => {
  using home = new CookieHome();
  for (const mode of [0o644, 0o640, 0o604]) {
    home.write(32, mode);
    assert.equal(
      await home.refusal(),
      `other users can read the cookie PATH (mode ${mode.toString(8)}): run "chmod 600 PATH"`,
    );
  }
  home.write(32, 0o400);
  assert.equal((await readCookie(findPlaces())).length, 32);
});

Deno.test("a cookie that is empty, truncated or extended is refused with the reason", async () => {
  using home = new CookieHome();
  const random = crypto.getRandomValues(new Uint8Array(32));
  const has = (count: number) => `not a cookie: PATH: it has ${count} bytes instead of 32: `;
  const added = 'a line break was added at its end: remove it with "truncate -s 32"';
  const cases: [Uint8Array, string][] = [
    [
      new Uint8Array(),
      'not a cookie: PATH: it is empty: copy it again, or make one with "gxensemble cookie -f"',
    ],
    [random.subarray(0, 31), `${has(31)}it was truncated: copy it again`],
    [new Uint8Array([...random, 10]), has(33) + added],
    [new Uint8Array([...random, 13, 10]), has(34) + added],
    [
      new TextEncoder().encode(random.toHex()),
      `${has(64)}copy it again as a binary file`,
    ],
  ];
  for (const [bytes, message] of cases) {
    home.write(bytes);
    assert.equal(await home.refusal(), message);
  }
});

Deno.test("a cookie that is not a regular file is refused without blocking", async () => {
  using home = new CookieHome();
  Deno.mkdirSync(home.cookiePath);
  assert.equal(await home.refusal(), "cannot read the cookie PATH: it is a directory");
  Deno.removeSync(home.cookiePath);
  makePipe(home.cookiePath);
  assert.equal(await home.refusal(), "cannot read the cookie PATH: it is a named pipe");
});
