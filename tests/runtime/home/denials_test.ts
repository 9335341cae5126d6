import assert from "node:assert/strict";
import { formatDenial, parseDenials } from "../../../runtime/home/denials.ts";

const read = (text: string) => parseDenials(text).map(formatDenial);

Deno.test("parseDenials reads permissions and parts of them, in both notations of a list", () => {
  assert.deepEqual(read("run"), ["run"]);
  assert.deepEqual(read("run,ffi,write=/etc"), ["run", "ffi", "write=/etc"]);
  assert.deepEqual(read("(net sys import)"), ["net", "sys", "import"]);
  assert.deepEqual(read("read=/home, env=A=B"), ["read=/home", "env=A=B"]);
});

Deno.test("parseDenials refuses unknown permissions and all of read, and lists the valid ones", () => {
  for (const text of ["", "()", "Run", "all", "write=", "=x", "run ffi;", "--allow-run"]) {
    assert.throws(() => parseDenials(text), {
      name: "InvalidInputError",
      message: /^not a permission: ".*"; use read, write, net, env, run, ffi, sys or import, or/,
    }, text);
  }
  assert.throws(() => parseDenials("run,read"), { message: /^cannot deny all of read: a server/ });
});
