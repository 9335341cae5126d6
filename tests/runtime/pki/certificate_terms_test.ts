import assert from "node:assert/strict";
import { InvalidInputError } from "../../../runtime/errors.ts";
import { hostsOf, parseDnsName, parseHost } from "../../../runtime/pki/certificate_terms.ts";

Deno.test("parseHost returns names in lower case, and addresses in canonical form", () => {
  const hosts: [string, "dns" | "ip", string][] = [
    ["Web1.Example.COM", "dns", "web1.example.com"],
    ["my_host", "dns", "my_host"],
    ["1and1.example", "dns", "1and1.example"],
    ["10.0.0.7", "ip", "10.0.0.7"],
    ["::1", "ip", "::1"],
    ["2001:0DB8:0:0:0:0:0:7", "ip", "2001:db8::7"],
    ["::ffff:1.2.3.4", "ip", "::ffff:102:304"],
  ];
  for (const [text, type, value] of hosts) assert.deepEqual(parseHost(text), { type, value }, text);
});

Deno.test("parseHost refuses what is neither a name nor an address", () => {
  for (
    const text of [
      ...[
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a",
        "a-",
        "a b",
        "a/b",
        "*.example.com",
        "a:80",
        "ä.example",
      ],
      ...["1.2.3", "1.2.3.256", "010.0.0.1", "127.1", "1.2.3.4.", "a.1"],
      ...["[::1]", "::1]/x[", "fe80::1%eth0", "1::2::3", ":"],
      ...["a".repeat(64), `${"a".repeat(63)}.`.repeat(4)],
    ]
  ) assert.throws(() => parseHost(text), InvalidInputError, text);
  assert.throws(() => parseDnsName("10.0.0.7"), InvalidInputError);
});

Deno.test("hostsOf returns the name in the domain, loopback and the given hosts", () => {
  const hosts = [parseHost("web1.example.com"), parseHost("127.0.0.1")];
  assert.deepEqual(
    hostsOf("Httpd_1", { domain: "ensemble.internal", hosts }).map(({ value }) => value),
    ["httpd_1.ensemble.internal", "localhost", "127.0.0.1", "::1", "web1.example.com"],
  );
});

Deno.test("hostsOf returns no name for an id that cannot be part of one", () => {
  for (const id of ["a..b", "a-", "a".repeat(64)]) {
    const [first] = hostsOf(id, { domain: "ensemble.internal", hosts: [] });
    assert.equal(first?.value, "localhost", id);
  }
});
