import assert from "node:assert/strict";
import { findPlaces } from "../../../runtime/home/paths.ts";
import { commandTree } from "../../../cli/command_tree.ts";
import { UsageError } from "../../../cli/kit/command_line.ts";
import { TlsFiles } from "../../../runtime/pki/tls_files.ts";
import { openssl, openWithAge } from "../../certificate_tools.ts";
import { workHere } from "../../commands_here.ts";
import { testWith } from "../../requirements.ts";
import { Terminal } from "../../terminal.ts";
import { SEALING_PROGRAM } from "../../tested_program.ts";
import { CertifiedEnsemble, namesIn, permissionsOf } from "../certified_ensemble.ts";
import { PASSPHRASE } from "../../cheap_passphrase.ts";

testWith(["openssl"], {
  name: "openssl accepts a server's certificate for both ends of a connection, and reads its names",
  async fn() {
    using ensemble = await CertifiedEnsemble.create();
    const hosts = ["--host", "web1.example.com,10.0.0.7", "--host", "::ffff:1.2.3.4"];
    await ensemble.done("cert", "httpd1", "--capabilities", "(shutdown loader)", ...hosts);
    const path = ensemble.path("server/httpd1/tls/cert.pem");
    assert.equal(permissionsOf(ensemble.path("server/httpd1/tls/key.pem")), "600");

    for (const purpose of ["sslserver", "sslclient"]) {
      const { code, stderr } = await ensemble.verify(path, "-purpose", purpose, "-crl_check");
      assert.equal(code, 0, stderr);
    }
    const { stdout } = await openssl("x509", "-in", path, "-noout", "-text");
    for (
      const line of [
        "Subject: DC = internal, DC = ensemble, CN = httpd1",
        "Issuer: DC = internal, DC = ensemble, CN = gxensemble issuing CA",
        "URI:srv:httpd1, URI:cap:loader, URI:cap:shutdown, DNS:httpd1.ensemble.internal, " +
        "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:web1.example.com, " +
        "IP Address:10.0.0.7, IP Address:0:0:0:0:0:FFFF:102:304",
        "TLS Web Server Authentication, TLS Web Client Authentication",
        "CA:FALSE",
        "Digital Signature",
      ]
    ) assert.ok(stdout.includes(line), `${line}\nis not in\n${stdout}`);
    const key = await openssl("pkey", "-in", ensemble.path("server/httpd1/tls/key.pem"), "-pubout");
    assert.equal(key.stdout, (await openssl("x509", "-in", path, "-noout", "-pubkey")).stdout);
  },
});

Deno.test("a server reads the files that ca cert makes for it", async () => {
  using ensemble = await CertifiedEnsemble.create();
  await ensemble.done("cert", "httpd1", "--capabilities", "admin");
  const { result: { certificate } } = await workHere(
    ensemble.environment,
    async () => (await TlsFiles.read("httpd1", findPlaces())).current(),
  );
  assert.deepEqual([certificate.id, certificate.capabilities], ["httpd1", ["admin"]]);
});

testWith(["openssl"], {
  name:
    "ca cert leaves the old certificate valid when it renews one; ca revoke revokes both, and no other server's",
  async fn() {
    using ensemble = await CertifiedEnsemble.create();
    const [first] = JSON.parse(await ensemble.done("cert", "httpd1", "--json"));
    const [second] = JSON.parse(await ensemble.done("cert", "httpd1", "--days", "7", "--json"));
    const [other] = JSON.parse(await ensemble.done("cert", "httpd2", "--json"));
    const record = ({ serial }: { serial: string }) => ensemble.path(`tls/issued/${serial}.pem`);
    for (const each of [first, second, other]) {
      assert.equal((await ensemble.verify(record(each), "-crl_check")).code, 0);
    }

    const revoked = JSON.parse(await ensemble.done("revoke", "httpd1", "--json"));
    assert.deepEqual(
      revoked.map(({ serial }: { serial: string }) => serial).sort(),
      [first.serial, second.serial].sort(),
    );
    for (const each of [first, second]) {
      const { code, stderr } = await ensemble.verify(record(each), "-crl_check");
      assert.equal(code, 2);
      assert.match(stderr, /certificate revoked/);
    }
    assert.equal((await ensemble.verify(record(other), "-crl_check")).code, 0);

    const [third] = JSON.parse(await ensemble.done("cert", "httpd1", "--json"));
    assert.equal((await ensemble.verify(record(third), "-crl_check")).code, 0);
    assert.equal((await ensemble.verify(record(first), "-crl_check")).code, 2);
  },
});

Deno.test("ca revoke loses no revocation when several run at once", async () => {
  using ensemble = await CertifiedEnsemble.create();
  const ids = ["a", "b", "c"];
  await ensemble.done("cert", ...ids);
  const commands = [...ids.map((id) => ["revoke", id]), ["cert", "d"]];
  await Promise.all(commands.map(async ([command, id]) => {
    const file = ["--passphrase-file", ensemble.passphraseFile];
    const { code, stderr } = await ensemble.runProcess("ca", command!, ...file, id!);
    assert.equal(code, 0, stderr);
  }));
  const { certificates } = JSON.parse(await ensemble.done("show", "--json"));
  assert.deepEqual(
    certificates.map(({ server, status }: Record<string, string>) => `${server} ${status}`),
    ["a revoked", "b revoked", "c revoked", "d valid"],
  );
});

Deno.test("ca show prints expiry times of the authority and of all certificates", async () => {
  using ensemble = await CertifiedEnsemble.create();
  const line = await ensemble.done("cert", "httpd1", "--capabilities", "(shutdown)", "--days", "7");
  const time = '"\\d{4}-\\d{2}-\\d{2}T[\\d:.]+Z"';
  assert.match(
    line,
    new RegExp(
      `^\\(httpd1 \\(shutdown\\) \\("httpd1.ensemble.internal" "localhost" "127.0.0.1" "::1"\\) ` +
        `${time} valid "[4-7][0-9A-F]{31}"\\)\n$`,
    ),
  );
  const shown = await ensemble.done("show");
  assert.match(
    shown,
    new RegExp(`^\\(root: ${time}\\)\n\\(issuing: ${time}\\)\n\\(crl: ${time}\\)\n`),
  );
  assert.ok(shown.endsWith(`)\n${line}`), shown);

  await ensemble.done("revoke", "httpd1");
  assert.ok((await ensemble.done("show")).endsWith(line.replace(" valid ", " revoked ")));
});

Deno.test("a certificate expires no later than its authority, and the revocation list no earlier than the certificates", async () => {
  using ensemble = await CertifiedEnsemble.create();
  await ensemble.done("cert", "httpd1", "--days", "3650");
  const { issuing, crl, certificates: [only] } = JSON.parse(await ensemble.done("show", "--json"));
  assert.equal(only.notAfter, issuing);
  assert.equal(crl, only.notAfter);
});

Deno.test("ca commands say how to set up an authority when there is none", async () => {
  using ensemble = new CertifiedEnsemble();
  for (const command of ["cert", "revoke", "show"]) {
    const { code, stderr } = await ensemble.ca(command, ...(command === "show" ? [] : ["httpd1"]));
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^gxensemble: error: there is no certificate authority on this host: .*"gxensemble ca setup"/,
    );
  }
});

Deno.test("ca commands change nothing after a wrong passphrase", async () => {
  using ensemble = await CertifiedEnsemble.create();
  await ensemble.done("cert", "httpd1");
  const before = await ensemble.done("show", "--json");
  await Deno.writeTextFile(ensemble.passphraseFile, "battery staple\n");
  for (const [command, id] of [["cert", "httpd2"], ["revoke", "httpd1"]] as const) {
    assert.deepEqual(await ensemble.ca(command, id), {
      code: 1,
      stdout: "",
      stderr: "gxensemble: error: the passphrase is wrong\n",
    });
  }
  assert.equal(await ensemble.done("show", "--json"), before);
  assert.deepEqual(namesIn(ensemble.path("server")), ["httpd1"]);
});

Deno.test("ca revoke fails for a server that never had a certificate, but not for one without any left", async () => {
  using ensemble = await CertifiedEnsemble.create();
  const unknown = await ensemble.ca("revoke", "httpd1");
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /error: no certificate was issued to httpd1: "gxensemble ca show"/);

  await ensemble.done("cert", "httpd1");
  await ensemble.done("revoke", "httpd1");
  assert.deepEqual(await ensemble.run("ca", "revoke", "httpd1"), {
    code: 0,
    stdout: "",
    stderr: "httpd1 has no valid certificate\n",
  });
});

Deno.test("ca cert reports wrong usage for names that cannot be in a certificate", async () => {
  const mistakes: [string[], RegExp][] = [
    [["cert", "a/b"], /not a server id: "a\/b"/],
    [["cert", "a", "--capabilities", "(Admin)"], /not a capability: "Admin"/],
    [["cert", "a", "--host", "*.example.com"], /not a host name: "\*\.example\.com"/],
    [["cert", "a", "--host", "10.0.0.256"], /not an IP address: "10\.0\.0\.256"/],
    [["cert", "a", "--days", "0"], /not a number of days: "0"/],
    [["cert", "a", "--days", "1e3"], /not a number of days/],
    [["setup", "--domain", "-"], /not a host name: "-"/],
    [["cert"], /missing required argument 'server-id'/],
    [["bogus"], /unknown command 'bogus'/],
  ];
  for (const [args, reason] of mistakes) {
    const help = args[0] === "bogus" ? "gxensemble help ca" : `gxensemble help ca ${args[0]}`;
    await assert.rejects(commandTree().parseAsync(["ca", ...args], { from: "user" }), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, reason);
      assert.equal(error.help, help);
      return true;
    });
  }
});

Deno.test("help shows the commands of ca", async () => {
  using ensemble = new CertifiedEnsemble();
  const ca = await ensemble.run("help", "ca");
  assert.match(
    ca.stdout,
    /^Usage: gxensemble ca <command> command-arg \.\.\. \[command-option \.\.\.\]\n/,
  );
  for (const name of ["setup", "cert", "show", "revoke"]) {
    assert.match(ca.stdout, new RegExp(`^  ${name} +\\w`, "m"));
    const help = await ensemble.run("help", "ca", name);
    assert.ok(help.stdout.startsWith(`Usage: gxensemble ca ${name} [command-option ...]`));
    assert.deepEqual(await ensemble.run("ca", name, "--help"), help);
  }
  const { code, stderr } = await ensemble.run("help", "ca", "cert", "httpd1");
  assert.deepEqual({ code, stderr }, {
    code: 2,
    stderr: "gxensemble: error: ca cert has no commands of its own\nsee gxensemble help ca cert\n",
  });
  assert.deepEqual(await ensemble.run("ca"), { code: 2, stdout: "", stderr: ca.stdout });
});

Deno.test("ca cert issues certificates to all of several servers, or to none", async () => {
  using ensemble = await CertifiedEnsemble.create();
  const issued = await ensemble.ca("cert", "a", "b", "a", "--capabilities", "jobs:run");
  assert.equal(issued.code, 0, issued.stderr);
  assert.deepEqual(issued.stdout.match(/^\(\w \(jobs:run\)/gm), ["(a (jobs:run)", "(b (jobs:run)"]);
  for (const id of ["a", "b"]) {
    assert.ok(
      issued.stderr.includes(`the private key of ${id} is in ${ensemble.home}/server/${id}/`),
    );
  }
  const before = await ensemble.done("show");
  const files = () =>
    ["cert.pem", "key.pem"].map((name) =>
      Deno.readTextFileSync(ensemble.path(`server/a/tls/${name}`))
    );
  const kept = files();

  // One of the servers cannot have its own certificate.
  Deno.mkdirSync(ensemble.path("server/d/tls/cert.pem"), { recursive: true });
  const failed = await ensemble.ca("cert", "a", "c", "d");
  assert.deepEqual([failed.code, failed.stdout], [1, ""]);
  assert.match(
    failed.stderr,
    /server\/d\/tls\/cert\.pem: it is a directory; no certificate was issued\n$/,
  );
  assert.deepEqual(files(), kept);
  assert.deepEqual(namesIn(ensemble.path("server/c/tls")), []);
  const certificates = (text: string) =>
    text.split("\n").filter((line) => !line.startsWith("(crl:"));
  assert.deepEqual(certificates(await ensemble.done("show")), certificates(before));
  assert.equal((await ensemble.ca("cert", "a", "../c")).code, 2);

  // A malformed record is named by its file.
  const record = ensemble.path("tls/issued/wrong.pem");
  Deno.copyFileSync(ensemble.path("tls/root.pem"), record);
  assert.match(
    (await ensemble.run("ca", "--view")).stderr,
    /error: \S+wrong\.pem is not a certificate issued here: .*: move it away/,
  );
  Deno.removeSync(record);
  Deno.mkdirSync(record);
  assert.match(
    (await ensemble.run("ca", "--view")).stderr,
    /^gxensemble: error: cannot read \S+wrong\.pem: it is a directory\n$/,
  );
});

testWith(["openssl"], {
  name: "ca --view prints fingerprints, validity and capabilities",
  async fn() {
    using ensemble = await CertifiedEnsemble.create();
    await ensemble.done("cert", "httpd1", "--capabilities", "(shutdown loader)");
    const { code, stdout, stderr } = await ensemble.run("ca", "--view");
    assert.equal(code, 0, stderr);
    const time = '"\\d{4}-\\d{2}-\\d{2}T[\\d:.]+Z"';
    const fingerprint = async (name: string) => {
      const path = ensemble.path(name);
      const { stdout } = await openssl("x509", "-in", path, "-noout", "-fingerprint", "-sha256");
      return stdout.trim().replace(/^.*=/, "").replaceAll(":", "").toLowerCase();
    };
    const expected = [
      `\\(root: ${time} ${time} "${await fingerprint("tls/root.pem")}"\\)`,
      `\\(issuing: ${time} ${time} "${await fingerprint("tls/issuing.pem")}"\\)`,
      `\\(crl: ${time}\\)`,
      `\\(httpd1 \\(loader shutdown\\) ${time} ${time} valid ` +
      `"${await fingerprint("server/httpd1/tls/cert.pem")}"\\)`,
    ];
    assert.match(stdout, new RegExp(`^${expected.join("\n")}\n$`));
  },
});

testWith(["openssl", "age"], {
  name: "age opens the private keys, and openssl matches them to the certificates",
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

Deno.test("ca setup asks for a passphrase twice, without echo, and makes keys that only their owner can read", async () => {
  using ensemble = new CertifiedEnsemble();
  ensemble.program = SEALING_PROGRAM;
  await using terminal = new Terminal(ensemble, [...ensemble.program, "ca", "setup"]);
  const answer = async (prompt: string, passphrase: string) => {
    await terminal.shows(prompt);
    terminal.type(`${passphrase}\r`);
  };
  await answer("passphrase for the keys", "one passphrase");
  await answer("repeat the passphrase", "another passphrase");
  await terminal.shows("the passphrases differ");
  await answer("passphrase for the keys", PASSPHRASE);
  await answer("repeat the passphrase", PASSPHRASE);
  const { code, raw } = await terminal.end();
  assert.equal(code, 0, raw);
  assert.ok(!/one passphrase|another passphrase/.test(raw) && !raw.includes(PASSPHRASE));
  assert.deepEqual(namesIn(ensemble.path("tls")), [
    ...["crl.pem", "issued", "issuing.key.age", "issuing.pem", "root.key.age", "root.pem"],
  ]);
  assert.deepEqual(namesIn(ensemble.home), ["server", "tls", "tls.lock"]);
  // The commands on this host have a certificate without capabilities.
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

Deno.test("ca setup replaces an authority only with -f, and then completely", async () => {
  using ensemble = await CertifiedEnsemble.create();
  ensemble.program = SEALING_PROGRAM;
  await ensemble.done("cert", "httpd1");
  const root = await Deno.readTextFile(ensemble.path("tls/root.pem"));

  const again = await ensemble.ca("setup");
  assert.equal(again.code, 1);
  assert.match(
    again.stderr,
    /a certificate authority, or its files for servers, exist already: .*: to replace them, run "gxensemble ca setup -f"/,
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

Deno.test("ca setup makes one complete authority when two run at once, and leaves nothing else", async () => {
  using ensemble = new CertifiedEnsemble();
  ensemble.program = SEALING_PROGRAM;
  const outcomes = await Promise.all(
    [1, 2].map(() =>
      ensemble.runProcess("ca", "setup", "--passphrase-file", ensemble.passphraseFile)
    ),
  );
  assert.deepEqual(outcomes.map(({ code }) => code).sort(), [0, 1]);
  assert.deepEqual(namesIn(ensemble.home), ["server", "tls", "tls.lock"]);
  await ensemble.done("show");
});
