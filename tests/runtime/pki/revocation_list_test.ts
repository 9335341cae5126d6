import fc from "npm:fast-check@^4.10.2";
import assert from "node:assert/strict";
import {
  createIssuing,
  createRevocationList,
  createRoot,
} from "../../../runtime/pki/certificate_profile.ts";
import { decodePem } from "../../../runtime/pki/pem.ts";
import { X509Crl } from "../../../runtime/pki/x509.ts";
import { InvalidInputError } from "../../../runtime/errors.ts";
import { readRevocationList } from "../../../runtime/pki/revocation_list.ts";

const NEXT_UPDATE = new Date("2049-12-31T23:59:59Z");
const issuing = await createIssuing("example.com", await createRoot("example.com"));

async function listOf(serials: string[], previous?: string): Promise<string> {
  return await createRevocationList(issuing, { serials, nextUpdate: NEXT_UPDATE, previous });
}

function read(pem: string) {
  return readRevocationList(decodePem("X509 CRL", pem));
}

Deno.test("a list without entries revokes nothing", async () => {
  const { serials, thisUpdate, nextUpdate } = read(await listOf([]));
  assert.deepEqual([...serials], []);
  assert.deepEqual(nextUpdate, NEXT_UPDATE);
  assert.ok(thisUpdate < new Date());
});

Deno.test("what a list revokes, the lists after it revoke", async () => {
  let list = await listOf(["4F01"]);
  list = await listOf(["00FE02"], list);
  list = await listOf([], list);
  assert.deepEqual([...read(list).serials], ["4F01", "FE02"]);
});

Deno.test("each list has the number after that of the list before", async () => {
  const numbers: string[] = [];
  let list: string | undefined;
  for (let count = 1; count <= 129; count++) {
    list = await listOf([], list);
    const number = new X509Crl(decodePem("X509 CRL", list)).getExtension("2.5.29.20")!.value;
    numbers.push(new Uint8Array(number).toHex());
  }
  // DER integers: from 128 on of two bytes, for the first bit is the sign.
  assert.deepEqual(
    [1, 2, 16, 127, 128, 129].map((number) => numbers[number - 1]),
    ["020101", "020102", "020110", "02017f", "02020080", "02020081"],
  );
});

Deno.test("whatever the bytes, the answer is a list or a refusal", async () => {
  const good = decodePem("X509 CRL", await listOf(["4F01", "4F02"]));
  for (let length = 0; length < good.length; length++) {
    assert.throws(() => readRevocationList(good.subarray(0, length)), InvalidInputError);
  }
  const place = fc.record({ at: fc.nat(good.length - 1), byte: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(place, { minLength: 1, maxLength: 4 }), (changes) => {
      const bytes = good.slice();
      for (const { at, byte } of changes) bytes[at] = byte;
      try {
        readRevocationList(bytes);
      } catch (error) {
        assert.ok(error instanceof InvalidInputError, Deno.inspect(error));
      }
    }),
    { numRuns: 2000 },
  );
});
