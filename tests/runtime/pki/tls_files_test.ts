import assert from "node:assert/strict";
import { findPlaces } from "../../../runtime/home/paths.ts";
import { readOwnTls } from "../../../runtime/pki/own_tls.ts";
import { Home } from "../ensemble/temporary_home.ts";
import {
  certificatePem,
  certify,
  createTestAuthority,
  keyPem,
  revocationList,
  writeFiles,
} from "../ensemble/made_tls_files.ts";

const CERTIFICATE = "server/httpd1/tls/cert.pem";
const KEY = "server/httpd1/tls/key.pem";
const ROOT = "tls/root.pem";
const CRL = "tls/crl.pem";

const authority = await createTestAuthority();
const httpd1 = await certify(authority);
const GOOD: Record<string, string> = {
  [CERTIFICATE]: certificatePem(httpd1) + certificatePem(authority.issuing),
  [KEY]: await keyPem(httpd1),
  [ROOT]: certificatePem(authority.root),
  [CRL]: await revocationList(authority),
};

/** Reads the files of httpd1, and returns their contents as JSON, or the error. */
async function read(home: Home): Promise<string> {
  const text = await readOwnTls("httpd1", findPlaces()).then(
    (tls) => tls ? JSON.stringify(tls.current()) : "none",
    (error) => `${error.name}: ${error.message}`,
  );
  return text.replaceAll(`${home.directory}/`, "");
}

/** Reads changed files. An undefined value removes a file. */
async function readWith(changes: Record<string, string | undefined>): Promise<string> {
  using home = new Home();
  const files = Object.entries({ ...GOOD, ...changes });
  const present = files.filter((file): file is [string, string] => file[1] !== undefined);
  await writeFiles(home, Object.fromEntries(present));
  return await read(home);
}

Deno.test("readOwnTls reads the certificate, the key and the trusted root", async () => {
  const { certificate, ...pem } = JSON.parse(await readWith({}));
  assert.equal(certificate.id, "httpd1");
  assert.deepEqual(certificate.capabilities, ["shutdown"]);
  assert.equal(certificate.serial, httpd1.certificate.serialNumber.toUpperCase());
  assert.equal(pem.chain, GOOD[CERTIFICATE]);
  assert.equal(pem.key, GOOD[KEY]);
  assert.deepEqual(pem.roots, [GOOD[ROOT]]);
});

Deno.test("readOwnTls reads the files of client for a client without its own, and none for a server", async () => {
  using home = new Home();
  const client = await certify(authority, { id: "client" });
  await writeFiles(home, {
    [CERTIFICATE.replace("httpd1", "client")]: certificatePem(client) +
      certificatePem(authority.issuing),
    [KEY.replace("httpd1", "client")]: await keyPem(client),
    [ROOT]: GOOD[ROOT]!,
    [CRL]: GOOD[CRL]!,
  });
  const tls = await readOwnTls("client-7f3a", findPlaces());
  assert.equal(tls!.current().certificate.id, "client");
  for (const id of ["clients", "server1", "console-1"]) {
    assert.equal(await readOwnTls(id, findPlaces()), undefined, id);
  }
});

Deno.test("readOwnTls returns undefined for a server without files", async () => {
  assert.equal(await readWith({ [CERTIFICATE]: undefined, [KEY]: undefined }), "none");
});

Deno.test("readOwnTls names a missing file, and its source", async () => {
  const again = 'make a new one with "gxensemble ca cert httpd1"';
  const copy = "copy it from the host of the certificate authority";
  const advice = { [CERTIFICATE]: again, [KEY]: again, [ROOT]: copy, [CRL]: copy };
  for (const [name, what] of Object.entries(advice)) {
    assert.equal(
      await readWith({ [name]: undefined }),
      `EnsembleError: ${name} does not exist, but TLS needs it: ${what}`,
    );
  }
});

Deno.test("readOwnTls refuses damaged files", async () => {
  for (const name of [CERTIFICATE, KEY, ROOT, CRL]) {
    assert.equal(await readWith({ [name]: "" }), `EnsembleError: ${name}: it is empty`);
  }
  assert.match(
    await readWith({ [CERTIFICATE]: certificatePem(httpd1) }),
    /cert\.pem: it should contain the server's certificate and that of the issuing authority$/,
  );
  assert.match(await readWith({ [CERTIFICATE]: GOOD[CERTIFICATE]!.slice(0, -40) }), /has no end: /);
  assert.match(await readWith({ [KEY]: GOOD[KEY]!.slice(0, 80) }), /key\.pem: .* has no end: /);
  assert.match(await readWith({ [CRL]: GOOD[CRL]!.slice(0, 80) }), /crl\.pem: .* has no end: /);
  assert.match(await readWith({ [ROOT]: "x" }), /root\.pem: no PEM block "CERTIFICATE"$/);
  assert.match(await readWith({ [CRL]: GOOD[ROOT] }), /crl\.pem: no PEM block "X509 CRL"$/);
  assert.match(await readWith({ [KEY]: "x" }), /key\.pem: it is not a private key in PKCS#8 PEM$/);
});

Deno.test("readOwnTls refuses a key that others can read", async () => {
  using home = new Home();
  await writeFiles(home, GOOD);
  await Deno.chmod(`${home.directory}/${KEY}`, 0o640);
  assert.equal(
    await read(home),
    `EnsembleError: other users can read the private key ${KEY} (mode 640): run "chmod 600 ${KEY}"`,
  );
});

Deno.test("readOwnTls refuses files that do not belong together", async () => {
  const other = await createTestAuthority();
  const stranger = await certify(authority, { id: "httpd2" });
  const chain = certificatePem(stranger) + certificatePem(authority.issuing);
  assert.match(
    await readWith({ [CERTIFICATE]: chain, [KEY]: await keyPem(stranger) }),
    /cert\.pem: it is the certificate of httpd2$/,
  );
  assert.match(
    await readWith({ [KEY]: await keyPem(stranger) }),
    /key\.pem: it is not the key of the certificate$/,
  );
  assert.match(
    await readWith({ [ROOT]: certificatePem(other.root) }),
    /cert\.pem: the certificate of .*CN=gxensemble issuing CA was not issued by .*root CA$/,
  );
  assert.match(
    await readWith({ [CERTIFICATE]: certificatePem(httpd1) + certificatePem(other.issuing) }),
    /cert\.pem: the certificate of .*CN=httpd1 was not issued by .*issuing CA$/,
  );
  assert.match(
    await readWith({ [CRL]: await revocationList(other) }),
    /crl\.pem: it was not signed by .*issuing CA$/,
  );
});

Deno.test("readOwnTls refuses expired files and a revoked certificate", async () => {
  const expired = await certify(authority, { days: -1 });
  assert.match(
    await readWith({
      [CERTIFICATE]: certificatePem(expired) + certificatePem(authority.issuing),
      [KEY]: await keyPem(expired),
    }),
    /cert\.pem: the certificate of .*CN=httpd1 expired at \d{4}-/,
  );
  assert.match(
    await readWith({ [CRL]: await revocationList(authority, { days: -1 }) }),
    /crl\.pem: it is out of date since \d{4}-/,
  );
  const serials = [httpd1.certificate.serialNumber];
  assert.match(
    await readWith({ [CRL]: await revocationList(authority, { serials }) }),
    /cert\.pem: the certificate was revoked: make a new one with "gxensemble ca cert httpd1"$/,
  );
});
