import assert from "node:assert/strict";
import { CertificateAuthority, readCertificate } from "@gxensemble/ensemble/certificates";
import { testEnsemble } from "@gxensemble/ensemble/testing";
import { PASSPHRASE } from "../../cheap_passphrase.ts";
import { CertifiedEnsemble } from "../../cli/certified_ensemble.ts";

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

Deno.test("CertificateAuthority.open issues with the authority of gxensemble ca, and revokes", async () => {
  using files = await CertifiedEnsemble.create();
  const directory = files.home;
  await assert.rejects(
    CertificateAuthority.open({ directory, passphrase: "battery staple" }),
    /the passphrase is wrong/,
  );
  const authority = await CertificateAuthority.open({ directory, passphrase: PASSPHRASE });
  assert.equal(authority.domain, "ensemble.internal");
  const certificates = await authority.issue("a", { capabilities: ["loader"] });
  const path = files.path("server/a/tls/cert.pem");
  assert.equal(await Deno.readTextFile(path), certificates.certificate);

  // One server has the certificates as text, the other finds the files.
  await authority.issue("b");
  await using ensemble = await testEnsemble();
  const listen = ["tls://127.0.0.1:0"];
  const a = await ensemble.startServer("a", { listen, certificates });
  const b = await ensemble.startServer("b", { listen, directory });
  const [address] = b.addresses.filter((url) => url.startsWith("tls:"));
  await a.connect("b", [address!]);
  assert.equal(a.connections().find(({ peer }) => peer === "b")?.address.kind, "tls");

  const { serial } = readCertificate(certificates.certificate);
  assert.deepEqual(await authority.revoke("a"), [serial]);
  assert.equal(await authority.revocations(), await Deno.readTextFile(files.path("tls/crl.pem")));
});
