import assert from "node:assert/strict";
import { generateCookie, readCookie, readCookies } from "../../../runtime/home/cookie.ts";
import { findPlaces } from "../../../runtime/home/paths.ts";
import { RotatedSecret } from "../../../runtime/pki/rotated_secret.ts";
import { fingerprintOf } from "../../../runtime/server/credentials.ts";
import { Home } from "../ensemble/temporary_home.ts";

/** The cookie of a temporary host, and a next one. */
async function hostWithCookie() {
  const places = findPlaces();
  const cookie = generateCookie();
  await Deno.mkdir(places.directory, { recursive: true });
  await Deno.writeFile(places.cookie, cookie, { mode: 0o600 });
  const contents = generateCookie();
  const [current, next] = await Promise.all([fingerprintOf(cookie), fingerprintOf(contents)]);
  return { places, secret: new RotatedSecret("cookie", places), contents, current, next };
}

Deno.test("each step of RotatedSecret does nothing when it is done again", async () => {
  using _ = new Home();
  const { places, secret, contents, current, next } = await hostWithCookie();
  assert.deepEqual(await secret.state(), { current, next: undefined });
  for (let time = 0; time < 2; time++) {
    assert.deepEqual(await secret.take(contents), { current, next });
  }
  assert.equal((await Deno.stat(places.nextCookie)).mode! & 0o777, 0o600);
  assert.equal((await readCookies(places)).length, 2);
  for (let time = 0; time < 2; time++) {
    assert.deepEqual(await secret.use(next), { current: next, next });
  }
  // A host that has gone further takes it as well.
  assert.deepEqual(await secret.take(contents), { current: next, next });
  for (let time = 0; time < 2; time++) {
    assert.deepEqual(await secret.finish(next), { current: next, next: undefined });
  }
  assert.deepEqual(await secret.take(contents), { current: next, next: undefined });
  assert.deepEqual(await secret.use(next), { current: next, next: undefined });
  assert.deepEqual(await readCookie(places), contents);
});

Deno.test("RotatedSecret gives up what is not in use, and nothing else", async () => {
  using _ = new Home();
  const { secret, contents, current, next } = await hostWithCookie();
  assert.deepEqual(await secret.abandon(next), { current, next: undefined });
  await secret.take(contents);
  assert.deepEqual(await secret.abandon(next), { current, next: undefined });
  await secret.take(contents);
  await secret.use(next);
  await assert.rejects(secret.abandon(next), /is the new one already: finish the rotation/);
});

Deno.test("RotatedSecret refuses another rotation, and steps that are not due", async () => {
  using _ = new Home();
  const { secret, contents, next } = await hostWithCookie();
  const other = generateCookie();
  await assert.rejects(secret.use(next), /neither \S+ nor \S+ has the fingerprint/);
  await assert.rejects(secret.finish(next), /neither \S+ nor \S+ has the fingerprint/);
  await secret.take(contents);
  const another = /another rotation is under way: \S+\/cookie\.next has the fingerprint/;
  await assert.rejects(secret.take(other), another);
  await assert.rejects(secret.abandon(await fingerprintOf(other)), another);
  await assert.rejects(secret.finish(next), /neither \S+ nor \S+ has the fingerprint/);
});

Deno.test("RotatedSecret replaces what a rotation has left that was finished elsewhere", async () => {
  using _ = new Home();
  const { secret, contents, next } = await hostWithCookie();
  await secret.take(contents);
  await secret.use(next);
  const other = generateCookie();
  const fingerprint = await fingerprintOf(other);
  assert.deepEqual(await secret.take(other), { current: next, next: fingerprint });
});

Deno.test("RotatedSecret takes nothing that is no cookie and no key", async () => {
  using home = new Home();
  const { secret, places } = await hostWithCookie();
  await assert.rejects(secret.take(new Uint8Array(31)), /not a cookie: it has 31 bytes/);
  const key = new RotatedSecret("admin.pub", places);
  const text = new TextEncoder().encode("text");
  await assert.rejects(key.take(text), /not an Ed25519 public key/);
  assert.deepEqual(await key.state(), { current: undefined, next: undefined });
  await home.withPair();
  const pem = await Deno.readFile(home.publicPath);
  const { current } = await key.state();
  assert.deepEqual(await key.take(pem), { current, next: undefined });
  await Deno.remove(home.publicPath);
  await assert.rejects(key.take(pem), /enforce no capabilities/);
});

Deno.test("of two next cookies that arrive at once, one is taken", async () => {
  using _ = new Home();
  const { secret, places } = await hostWithCookie();
  const outcomes = await Promise.allSettled(
    Array.from({ length: 8 }, () => secret.take(generateCookie())),
  );
  assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
  assert.equal((await readCookies(places)).length, 2);
});
