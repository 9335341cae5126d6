import assert from "node:assert/strict";
import { parseHttpAddress } from "../../../runtime/wire/http_address.ts";
import { formatEndpoint } from "../../../runtime/wire/address.ts";

Deno.test("parseHttpAddress reads a host and a port, and a port of this host", () => {
  const read = (text: string) => formatEndpoint(parseHttpAddress(text));
  assert.equal(read("9100"), "127.0.0.1:9100");
  assert.equal(read(":0"), "127.0.0.1:0");
  assert.equal(read("localhost:9100"), "localhost:9100");
  assert.equal(read("[::1]:9100"), "[::1]:9100");
  assert.equal(read("0.0.0.0:9100"), "0.0.0.0:9100");
  assert.equal(read("web1.example.com:9100"), "web1.example.com:9100");
});

Deno.test("parseHttpAddress refuses anything else", () => {
  const wrong = [
    ...["", ":", "localhost", "localhost:", "127.0.0.1:99999", "99999", "-1", "http://a:1"],
    ...["a:1 b:2", "(a:1)", "::1:9100", "a:1/metrics", "unix:/a", "tcp://a:1"],
  ];
  for (const text of wrong) {
    assert.throws(() => parseHttpAddress(text), {
      name: "InvalidInputError",
      message: /^not an address for HTTP: ".*": write host:port, or a port up to 65535$/,
    }, text);
  }
});
