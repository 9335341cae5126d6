import assert from "node:assert/strict";
import fc from "npm:fast-check@^4.10.2";
import { InvalidInputError } from "../../../runtime/errors.ts";
import { parseCertificate, parseRevocationList } from "../../../runtime/pki/certificate_parser.ts";
import {
  createIssuing,
  createRevocationList,
  createRoot,
} from "../../../runtime/pki/certificate_profile.ts";
import { decodePem } from "../../../runtime/pki/pem.ts";
import { SubjectAlternativeNameExtension, X509Crl } from "../../../runtime/pki/x509.ts";
import {
  certificateNaming,
  certificateWith,
  countElements,
  rawNames,
  SERIAL,
  uris,
  withLongerLength,
} from "./made_certificates.ts";

/**
 * The element that names the curve of the key. Algorithm parameters can have any type, and are not
 * parsed.
 */
const CURVE = 23;

function refused(der: Uint8Array, reason: RegExp): void {
  assert.throws(() => parseCertificate(der), (error) => {
    assert.ok(error instanceof InvalidInputError, String(error));
    assert.match(error.message, reason);
    return true;
  });
}

Deno.test("parseCertificate reads the server, capabilities, serial number and dates", async () => {
  const der = await certificateNaming(
    uris("cap:shutdown", "srv:httpd1.eu-west", "cap:admin", "cap:shutdown", "https://example.com/"),
  );
  assert.deepEqual(parseCertificate(der), {
    id: "httpd1.eu-west",
    capabilities: ["admin", "shutdown"],
    serial: SERIAL,
    notBefore: new Date("2026-01-02T03:04:05Z"),
    notAfter: new Date("2056-01-02T03:04:05Z"), // Has another form than dates before 2050.
  });
});

Deno.test("parseCertificate does not take other names for a server", async () => {
  const names = [
    { type: "dns", value: "a.example, URI:cap:admin" },
    { type: "dns", value: "srv:other" },
    { type: "email", value: "cap:admin" },
    { type: "dn", value: "CN=srv:other" },
    { type: "ip", value: "10.0.0.7" },
  ] as const;
  const der = await certificateNaming([...uris("srv:httpd1", "SRV:other", "xsrv:other"), ...names]);
  const { id, capabilities } = parseCertificate(der);
  assert.deepEqual({ id, capabilities }, { id: "httpd1", capabilities: [] });
});

Deno.test("parseCertificate refuses a certificate that names no server, or more than one", async () => {
  refused(new Uint8Array((await certificateWith([])).rawData), /names 0 servers/);
  refused(await certificateNaming(uris("cap:admin")), /names 0 servers/);
  refused(await certificateNaming(uris("srv:a", "srv:b")), /names 2 servers/);
  refused(await certificateNaming(uris("srv:a", "srv:a")), /names 2 servers/);
});

Deno.test("parseCertificate refuses malformed ids and capabilities", async () => {
  for (const id of ["", ".a", "a b", "a/b", "a\n", "a%20b", "a".repeat(65)]) {
    refused(await certificateNaming(uris(`srv:${id}`)), /not a server id/);
  }
  for (
    const capability of [
      "",
      "Admin",
      "a b",
      "shutdwn",
      "jobs:",
      ":run",
      "admin\n",
      "a,b",
      "a".repeat(65),
    ]
  ) {
    refused(await certificateNaming(uris("srv:a", `cap:${capability}`)), /not a capability/);
  }
});

Deno.test("parseCertificate refuses duplicate, non-ASCII and truncated names", async () => {
  const names = new SubjectAlternativeNameExtension(uris("srv:a"));
  const twice = await certificateWith([
    names,
    new SubjectAlternativeNameExtension(uris("cap:loader")),
  ]);
  refused(new Uint8Array(twice.rawData), /names twice/);
  const hostile: [number[], RegExp][] = [
    [[0x30, 0x03, 0x86, 0x01, 0xff], /not ASCII/],
    [[0x30, 0x05, 0x86, 0x09, 0x73, 0x72, 0x76], /malformed DER/],
    [[0x30, 0x81, 0x03, 0x86, 0x01, 0x61], /shortest form/],
    [[0x30, 0x80, 0x86, 0x01, 0x61, 0x00, 0x00], /shortest form/],
    [[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff], /malformed DER/],
    [[0x30, 0x00, 0x00], /malformed DER/],
    [[0x30, 0x00, 0x05, 0x00], /malformed DER/],
    [[0x9f, 0x1f, 0x00], /malformed DER/],
    [[0x86, 0x01, 0x61], /malformed DER/],
    [[], /malformed DER/],
  ];
  for (const [bytes, reason] of hostile) {
    refused(new Uint8Array((await certificateWith([rawNames(bytes)])).rawData), reason);
  }
});

Deno.test("parseCertificate refuses a longer length encoding in any element", async () => {
  const good = await certificateNaming(uris("srv:httpd1", "cap:shutdown"));
  const count = countElements(good);
  assert.ok(count > 25, `${count} elements`);
  assert.deepEqual(withLongerLength(good, count), good);
  for (let element = 0; element < count; element++) {
    const der = withLongerLength(good, element);
    if (element === CURVE) assert.equal(parseCertificate(der).id, "httpd1");
    else refused(der, /malformed DER/);
  }
});

Deno.test("parseCertificate returns an identity or refuses, for any bytes", async () => {
  const good = await certificateNaming(uris("srv:httpd1", "cap:shutdown"));
  const check = (bytes: Uint8Array) => {
    try {
      parseCertificate(bytes);
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), check));
  for (let length = 0; length < good.length; length++) {
    assert.throws(() => parseCertificate(good.subarray(0, length)), InvalidInputError);
  }
  assert.throws(() => parseCertificate(new Uint8Array([...good, 0])), InvalidInputError);
  const place = fc.record({ at: fc.nat(good.length - 1), byte: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(place, { minLength: 1, maxLength: 4 }), (changes) => {
      const bytes = good.slice();
      for (const { at, byte } of changes) bytes[at] = byte;
      check(bytes);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("parseCertificate refuses a certificate with too many capabilities", async () => {
  const capabilities = (count: number) => Array.from({ length: count }, (_, i) => `cap:c:${i}`);
  const most = parseCertificate(await certificateNaming(uris("srv:a", ...capabilities(32))));
  assert.equal(most.capabilities.length, 32);
  refused(
    await certificateNaming(uris("srv:a", ...capabilities(320))),
    /too many capabilities: 320/,
  );
});

const NEXT_UPDATE = new Date("2049-12-31T23:59:59Z");
const issuing = await createIssuing("example.com", await createRoot("example.com"));

async function listOf(serials: string[], previous?: string): Promise<string> {
  return await createRevocationList(issuing, { serials, nextUpdate: NEXT_UPDATE, previous });
}

function read(pem: string) {
  return parseRevocationList(decodePem("X509 CRL", pem));
}

Deno.test("a revocation list without entries revokes nothing", async () => {
  const { serials, thisUpdate, nextUpdate } = read(await listOf([]));
  assert.deepEqual([...serials], []);
  assert.deepEqual(nextUpdate, NEXT_UPDATE);
  assert.ok(thisUpdate < new Date());
});

Deno.test("later revocation lists keep earlier revocations", async () => {
  let list = await listOf(["4F01"]);
  list = await listOf(["00FE02"], list);
  list = await listOf([], list);
  assert.deepEqual([...read(list).serials], ["4F01", "FE02"]);
});

Deno.test("each revocation list has the next number", async () => {
  const numbers: string[] = [];
  let list: string | undefined;
  for (let count = 1; count <= 129; count++) {
    list = await listOf([], list);
    const number = new X509Crl(decodePem("X509 CRL", list)).getExtension("2.5.29.20")!.value;
    numbers.push(new Uint8Array(number).toHex());
  }
  // A DER integer from 128 on has two bytes, because the first bit is the sign.
  assert.deepEqual(
    [1, 2, 16, 127, 128, 129].map((number) => numbers[number - 1]),
    ["020101", "020102", "020110", "02017f", "02020080", "02020081"],
  );
});

Deno.test("parseRevocationList returns a list or refuses, for any bytes", async () => {
  const good = decodePem("X509 CRL", await listOf(["4F01", "4F02"]));
  for (let length = 0; length < good.length; length++) {
    assert.throws(() => parseRevocationList(good.subarray(0, length)), InvalidInputError);
  }
  const place = fc.record({ at: fc.nat(good.length - 1), byte: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(place, { minLength: 1, maxLength: 4 }), (changes) => {
      const bytes = good.slice();
      for (const { at, byte } of changes) bytes[at] = byte;
      try {
        parseRevocationList(bytes);
      } catch (error) {
        if (!(error instanceof InvalidInputError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
