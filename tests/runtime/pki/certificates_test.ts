import assert from "node:assert/strict";
import { CertificateAuthority, readCertificate } from "../../../runtime/pki/certificates.ts";
import { testEnsemble } from "../../../testing/test_ensemble.ts";

Deno.test("CertificateAuthority issues certificates that servers start with, and revokes them", async () => {
  const authority = await CertificateAuthority.create("ensemble.internal");
  const certificates = await authority.issue("a", { capabilities: ["loader"], hosts: ["a.test"] });
  const { id, capabilities, serial } = readCertificate(certificates.certificate);
  assert.deepEqual([id, capabilities], ["a", ["loader"]]);

  await using ensemble = await testEnsemble();
  const b = await ensemble.startServer("b", {
    listen: ["tls://127.0.0.1:0"],
    certificates: await authority.issue("b"),
  });
  const [address] = b.addresses.filter((url) => url.startsWith("tls:"));
  const knownServers = { b: [address!] };
  const a = await ensemble.startServer("a", { certificates, knownServers });
  await a.connect("b", [address!]);
  assert.equal(a.connections().find(({ peer }) => peer === "b")?.address.kind, "tls");

  assert.deepEqual(await authority.revoke("a"), [serial]);
  assert.deepEqual(await authority.revoke("a"), []);
  await assert.rejects(
    ensemble.startServer("a2", { certificates }),
    /certificates\.certificate: it is the certificate of a/,
  );
  await a.stop();
  const revocations = await authority.revocations();
  await assert.rejects(
    ensemble.startServer("a", { certificates: { ...certificates, revocations } }),
    /certificates\.certificate: the certificate was revoked/,
  );
});

Deno.test("CertificateAuthority refuses an invalid domain, id or capability", async () => {
  await assert.rejects(CertificateAuthority.create("no domain"), { name: "InvalidInputError" });
  const authority = await CertificateAuthority.create("ensemble.internal");
  await assert.rejects(authority.issue("no id"), { name: "InvalidInputError" });
  await assert.rejects(authority.issue("a", { capabilities: ["Nope"] }), {
    name: "InvalidInputError",
  });
});
