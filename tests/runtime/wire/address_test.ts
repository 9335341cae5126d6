import assert from "node:assert/strict";
import fc from "npm:fast-check@^4.10.2";
import { InvalidInputError } from "../../../runtime/errors.ts";
import {
  type Address,
  formatAddress,
  formatAddressUrl,
  hostName,
  isLocal,
  localUnixAddress,
  parseAddresses,
} from "../../../runtime/wire/address.ts";

const SOCKET: Address = { kind: "unix", host: hostName(), path: "/tmp/ensemble/a" };
const TCP: Address = { kind: "tcp", host: "example.org", port: 7000 };
const TLS: Address = { kind: "tls", host: "::1", port: 0 };

Deno.test("parseAddresses reads both notations of every kind", () => {
  const cases: [string, Address][] = [
    ["unix:/tmp/ensemble/a", SOCKET],
    ["unix:///tmp/ensemble/a", SOCKET],
    [`(unix: "${hostName()}" "/tmp/ensemble/a")`, SOCKET],
    ["unix://elsewhere/a%20b", { kind: "unix", host: "elsewhere", path: "/a b" }],
    ['"unix:/a b"', { kind: "unix", host: hostName(), path: "/a b" }],
    ["tcp://example.org:7000", TCP],
    ['(tcp: "example.org:7000")', TCP],
    ["tls://[::1]:0", TLS],
    ['(tls: "[::1]:0")', TLS],
  ];
  for (const [text, address] of cases) assert.deepEqual(parseAddresses(text), [address], text);
});

Deno.test("parseAddresses reads several addresses, in a row or in a list", () => {
  const socket = formatAddress(SOCKET);
  const all = [SOCKET, TCP, TLS];
  for (
    const text of [
      `${socket} tcp://example.org:7000 tls://[::1]:0`,
      `(${socket} (tcp: "example.org:7000") (tls: "[::1]:0"))`,
      `(unix:/tmp/ensemble/a tcp://example.org:7000) tls://[::1]:0`,
      `unix:/tmp/ensemble/a,tcp://example.org:7000,tls://[::1]:0`,
    ]
  ) assert.deepEqual(parseAddresses(text), all, text);
  assert.deepEqual(parseAddresses("()"), []);
  assert.deepEqual(parseAddresses(""), []);
});

Deno.test("formatAddress and formatAddressUrl write the tutorial's notation and a URL", () => {
  assert.equal(
    formatAddress({ kind: "unix", host: "dellicious", path: "/tmp/ensemble/httpd1" }),
    '(unix: "dellicious" "/tmp/ensemble/httpd1")',
  );
  assert.equal(formatAddress(TLS), '(tls: "[::1]:0")');
  assert.equal(formatAddressUrl(SOCKET), "unix:/tmp/ensemble/a");
  assert.equal(formatAddressUrl(TCP), "tcp://example.org:7000");
});

Deno.test("parseAddresses refuses an invalid address, with the reason", () => {
  const cases: [string, RegExp][] = [
    ["httpd1", /not an address: httpd1: write unix:\/path/],
    ["http://a:1", /write unix:\/path/],
    ["(a: 1)", /write unix:\/path/],
    ['(unix: "/path")', /write unix:\/path/],
    ['(tcp: "a" "1")', /write unix:\/path/],
    ["unix:relative", /path of a unix socket must be absolute/],
    ['(unix: "h" "relative")', /path of a unix socket must be absolute/],
    ['(unix: "" "/p")', /host name is empty/],
    ["unix:/dir/", /that of a file/],
    ["unix:/100%", /write % itself as %25/],
    ["tcp://:80", /the host is empty/],
    ["tcp://a", /host:port expected/],
    ["tcp://a:", /write unix:\/path/],
    ["tcp://a:65536", /the port must be a number up to 65535/],
    ["tcp://a:-1", /host:port expected/],
    ["tcp://::1:80", /in brackets/],
    ["tcp://[::g]:80", /not a host name or IP address/],
    ["tcp://[fe80::1%]:80", /not a host name or IP address/],
    ["tcp://[fe80::1%a b]:80", /not an address/],
    ["tcp://[fe80::1%0123456789abcdef]:80", /not a host name or IP address/],
    ["tcp://[a%eth0]:80", /not a host name or IP address/],
    ["tcp://10.0.0.1%eth0:80", /not a host name or IP address/],
    ["tcp://a@b:80", /not a host name or IP address/],
    ["((tcp: ", /without its/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseAddresses(text), (error) => {
      assert.ok(error instanceof InvalidInputError, text);
      assert.match(error.message, message, text);
      return true;
    });
  }
});

Deno.test("parseAddresses reads a zone with a plain or an encoded percent sign", () => {
  const address = { kind: "tcp", host: "fe80::1%eth0", port: 2000 } as const;
  for (const text of ["tcp://[fe80::1%eth0]:2000", "tcp://[fe80::1%25eth0]:2000"]) {
    assert.deepEqual(parseAddresses(text), [address]);
  }
  assert.equal(formatAddress(address), '(tcp: "[fe80::1%eth0]:2000")');
  assert.equal(formatAddressUrl(address), "tcp://[fe80::1%eth0]:2000");
});

Deno.test("a unix address belongs to the host it names", () => {
  assert.ok(isLocal(localUnixAddress("/a")));
  assert.ok(!isLocal({ kind: "unix", host: `not-${hostName()}`, path: "/a" }));
  assert.ok(isLocal(TCP));
});

Deno.test("every address can be read back in both notations", () => {
  const text = fc.string({ unit: "grapheme", minLength: 1 });
  const paths = text.map((name) => `/${name.replaceAll("\0", "0")}.socket`);
  const hosts = text.map((name) => name.replaceAll("/", "-"));
  const zones = fc.constantFrom("eth0", "2", "br-1f.100", "25", "251");
  const zoned = fc.tuple(fc.ipV6(), zones).map(([address, zone]) => `${address}%${zone}`);
  const addresses: fc.Arbitrary<Address> = fc.oneof(
    fc.record({
      kind: fc.constant("unix" as const),
      host: fc.oneof(fc.constant(hostName()), hosts),
      path: paths,
    }, { noNullPrototype: true }),
    fc.record({
      kind: fc.constantFrom("tcp" as const, "tls" as const),
      host: fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6(), zoned),
      port: fc.nat(65535),
    }, { noNullPrototype: true }),
  );
  fc.assert(fc.property(addresses, (address) => {
    assert.deepEqual(parseAddresses(formatAddress(address)), [address]);
    assert.deepEqual(parseAddresses(formatAddressUrl(address)), [address]);
  }));
});
