import assert from "node:assert/strict";
import { TemporaryEnsemble } from "../temporary_ensemble.ts";

Deno.test("a failure is exit 1 with its reason only; with --log DEBUG also where", async () => {
  using ensemble = new TemporaryEnsemble();
  const failure = await ensemble.run("ping", "httpd1");
  assert.deepEqual({ code: failure.code, stdout: failure.stdout }, { code: 1, stdout: "" });
  // There is no cookie.
  assert.match(failure.stderr, /^gxensemble: error: no cookie at .*\n$/);

  const { code, stderr } = await ensemble.run("ping", "httpd1", "--log", "DEBUG");
  assert.equal(code, 1);
  assert.match(stderr, /^gxensemble: error: no cookie at .*\n/m);
  assert.match(stderr, /^ +at .*\breadCookie\b/m);
});
