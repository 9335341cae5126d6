import assert from "node:assert/strict";
import { openssl, openWithAge } from "../certificate_tools.ts";
import { CertifiedEnsemble, namesIn, PASSPHRASE, permissionsOf } from "./certified_ensemble.ts";
import { testWith } from "../requirements.ts";
import { Terminal } from "../terminal.ts";
import { SEALING_PROGRAM } from "../tested_program.ts";

testWith(["openssl", "age"], {
  name: "age opens the keys, and openssl finds them to be those of the certificates",
  async fn() {
    using ensemble = await CertifiedEnsemble.create();
    for (const name of ["root", "issuing"]) {
      const key = `${ensemble.directory}/${name}.pem`;
      const sealed = { path: ensemble.path(`tls/${name}.key.age`), passphrase: PASSPHRASE };
      await Deno.writeTextFile(key, (await openWithAge(ensemble, sealed)).text);
      const ofKey = await openssl("pkey", "-in", key, "-pubout");
      const certificate = ensemble.path(`tls/${name}.pem`);
      const ofCertificate = await openssl("x509", "-in", certificate, "-noout", "-pubkey");
      assert.equal(ofKey.stdout, ofCertificate.stdout);
      assert.match(ofKey.stdout, /BEGIN PUBLIC KEY/);
    }
  },
});

Deno.test("setup asks for a passphrase twice, without echo, and makes keys that only their owner reads", async () => {
  using ensemble = new CertifiedEnsemble();
  ensemble.program = SEALING_PROGRAM;
  await using terminal = new Terminal(ensemble, [...ensemble.program, "ca", "setup"]);
  const answer = async (prompt: string, passphrase: string) => {
    await terminal.shows(prompt);
    terminal.type(`${passphrase}\r`);
  };
  await answer("passphrase for the keys", "one passphrase");
  await answer("the same again", "another passphrase");
  await terminal.shows("the two differ");
  await answer("passphrase for the keys", PASSPHRASE);
  await answer("the same again", PASSPHRASE);
  const { code, raw } = await terminal.end();
  assert.equal(code, 0, raw);
  assert.ok(!/one passphrase|another passphrase/.test(raw) && !raw.includes(PASSPHRASE));
  assert.deepEqual(namesIn(ensemble.path("tls")), [
    ...["crl.pem", "issued", "issuing.key.age", "issuing.pem", "root.key.age", "root.pem"],
  ]);
  assert.deepEqual(namesIn(ensemble.home), ["server", "tls", "tls.lock"]);
  // The commands on this host have a certificate, which says nothing of what they may do.
  assert.match(await ensemble.done("show"), /\n\(console \(\) .* valid /);
  assert.deepEqual(namesIn(ensemble.path("server/console/tls")), ["cert.pem", "key.pem"]);
  assert.equal(permissionsOf(ensemble.path("tls")), "700");
  for (const name of ["tls/root.key.age", "tls/issuing.key.age"]) {
    const path = ensemble.path(name);
    assert.equal(permissionsOf(path), "600");
    assert.match(await Deno.readTextFile(path), /^-----BEGIN AGE ENCRYPTED FILE-----\n/);
  }
  await ensemble.done("cert", "httpd1");
});

Deno.test("setup replaces an authority only with -f, and then all of it", async () => {
  using ensemble = await CertifiedEnsemble.create();
  ensemble.program = SEALING_PROGRAM;
  await ensemble.done("cert", "httpd1");
  const root = await Deno.readTextFile(ensemble.path("tls/root.pem"));

  const again = await ensemble.ca("setup");
  assert.equal(again.code, 1);
  assert.match(
    again.stderr,
    /there is a certificate authority already.*: replace it with "gxensemble ca setup -f"/,
  );
  assert.equal(await Deno.readTextFile(ensemble.path("tls/root.pem")), root);

  await ensemble.done("setup", "-f", "--domain", "Example.COM");
  assert.notEqual(await Deno.readTextFile(ensemble.path("tls/root.pem")), root);
  assert.deepEqual(namesIn(ensemble.home), ["server", "tls", "tls.lock"]);
  const { domain, certificates } = JSON.parse(await ensemble.done("show", "--json"));
  assert.deepEqual(
    [domain, ...certificates.map(({ server }: { server: string }) => server)],
    ["example.com", "console"],
  );
});

Deno.test("of two setups at once one makes the authority, whole, and nothing else is left", async () => {
  using ensemble = new CertifiedEnsemble();
  ensemble.program = SEALING_PROGRAM;
  const outcomes = await Promise.all([ensemble.ca("setup"), ensemble.ca("setup")]);
  assert.deepEqual(outcomes.map(({ code }) => code).sort(), [0, 1]);
  assert.deepEqual(namesIn(ensemble.home), ["server", "tls", "tls.lock"]);
  await ensemble.done("show");
});
