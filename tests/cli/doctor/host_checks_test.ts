import assert from "node:assert/strict";
import { checkHost, judgeDisk, judgeEnd } from "../../../cli/doctor/host_checks.ts";
import { createCookie } from "../../../runtime/home/cookie.ts";
import { Places } from "../../../runtime/home/paths.ts";

/** A host with a cookie and a socket directory. */
async function healthyHost() {
  const root = await Deno.makeTempDir({ prefix: "gx" });
  const places = new Places(`${root}/ensemble`, `${root}/sockets`);
  await createCookie(places);
  await Deno.mkdir(places.socketDirectory, { mode: 0o700 });
  return { places, [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }) };
}

Deno.test("checkHost finds nothing wrong on a healthy host", async () => {
  await using host = await healthyHost();
  const wrong = (await checkHost(host.places)).filter(({ severity }) =>
    severity === "failure" || severity === "skipped"
  );
  assert.deepEqual(wrong, []);
});

Deno.test("checkHost says how many processes the configuration has", async () => {
  await using host = await healthyHost();
  await Deno.writeTextFile(host.places.configuration, '{ "registry": true }');
  const found = (await checkHost(host.places)).filter(({ check }) => check === "configuration");
  assert.deepEqual(found, [{
    severity: "ok",
    check: "configuration",
    message: `${host.places.configuration}; processes of this host: 1`,
  }]);
});

/** What can be wrong with a host, and the finding: its severity, check and message. */
const MISTAKES: [
  what: string,
  make: (places: Places) => unknown,
  severity: string,
  check: string,
  message: RegExp,
][] = [
  [
    "there is no state directory",
    ({ directory }) => Deno.remove(directory, { recursive: true }),
    "failure",
    "state directory",
    /^there is no /,
  ],
  [
    "others may enter the state directory",
    ({ directory }) => Deno.chmod(directory, 0o755),
    "warning",
    "state directory",
    /^other users may enter /,
  ],
  [
    "there is no cookie",
    ({ cookie }) => Deno.remove(cookie),
    "failure",
    "cookie",
    /^no cookie at /,
  ],
  [
    "others can read the cookie",
    ({ cookie }) => Deno.chmod(cookie, 0o644),
    "failure",
    "cookie",
    /other users can read .* run "chmod 600 /,
  ],
  [
    "the cookie is cut off",
    ({ cookie }) => Deno.truncate(cookie, 20),
    "failure",
    "cookie",
    /it was truncated: copy it again$/,
  ],
  [
    "the cookie is being replaced",
    ({ nextCookie }) => Deno.writeFile(nextCookie, new Uint8Array(32), { mode: 0o600 }),
    "warning",
    "cookie",
    /^it is being replaced: there is \S+\/cookie\.next, and servers accept both$/,
  ],
  [
    "others can read the next cookie",
    ({ nextCookie }) => Deno.writeFile(nextCookie, new Uint8Array(32), { mode: 0o644 }),
    "failure",
    "cookie",
    /other users can read .*cookie\.next/,
  ],
  [
    "others can read the administrators' private key",
    async ({ adminPrivateKey }) => {
      await Deno.writeTextFile(adminPrivateKey, "a key");
      await Deno.chmod(adminPrivateKey, 0o644);
    },
    "failure",
    "administrator",
    /other users can read /,
  ],
  [
    "the administrators' public key is missing",
    ({ adminPrivateKey }) => Deno.writeTextFile(adminPrivateKey, "a key", { mode: 0o600 }),
    "failure",
    "administrator",
    /obey every holder of the cookie$/,
  ],
  [
    "the administrators' public key is damaged",
    ({ adminPublicKey }) => Deno.writeTextFile(adminPublicKey, "no key"),
    "failure",
    "administrator",
    /admin\.pub/,
  ],
  [
    "a line of known-servers is wrong",
    ({ knownServers }) => Deno.writeTextFile(knownServers, "registry tcp://:0:x\n"),
    "failure",
    "known-servers",
    /known-servers.*1/,
  ],
  [
    "the configuration is wrong",
    ({ configuration }) => Deno.writeTextFile(configuration, '{\n"server": {}, "registry": 1 }'),
    "failure",
    "configuration",
    /^2 errors; the first: \/.*ensemble\.jsonc:2:1: server: unknown field; did you mean servers\?$/,
  ],
  [
    "the configuration is doubtful",
    ({ configuration, directory }) =>
      Deno.writeTextFile(
        configuration,
        JSON.stringify({
          roles: {
            r: { executable: "/bin/sh", stop: { killAfter: 1 }, workingDirectory: directory },
          },
        }),
      ),
    "warning",
    "configuration",
    /^1 warning; the first: \/.*ensemble\.jsonc:1:\d+: warning: roles\.r\.stop\.killAfter: it is /,
  ],
  [
    "others may enter the socket directory",
    ({ socketDirectory }) => Deno.chmod(socketDirectory, 0o755),
    "failure",
    "socket directory",
    /make it private with: chmod 700 /,
  ],
  [
    "the socket directory is a symbolic link",
    async ({ socketDirectory, directory }) => {
      await Deno.remove(socketDirectory);
      await Deno.symlink(directory, socketDirectory);
    },
    "failure",
    "socket directory",
    /is a symbolic link/,
  ],
  [
    "a certificate is damaged",
    async (places) => {
      const { certificate, key } = places.serverTls("httpd1");
      await Deno.mkdir(`${places.server("httpd1")}/tls`, { recursive: true, mode: 0o700 });
      await Deno.writeTextFile(certificate, "no certificate");
      await Deno.writeTextFile(key, "no key", { mode: 0o600 });
    },
    "failure",
    "certificate of httpd1",
    /./,
  ],
];

for (const [what, make, severity, check, message] of MISTAKES) {
  Deno.test(`checkHost finds that ${what}`, async () => {
    await using host = await healthyHost();
    await make(host.places);
    const found = (await checkHost(host.places)).find((finding) =>
      finding.check === check && finding.severity === severity
    );
    assert.match(found?.message ?? "", message);
  });
}

Deno.test("judgeEnd warns thirty days before, and fails afterwards", () => {
  const day = 86_400_000;
  const judge = (end: number) => judgeEnd("certificate", end, "renew it", 0);
  assert.equal(judge(31 * day).severity, "ok");
  const { severity, message, remedy } = judge(29 * day);
  assert.deepEqual([severity, message, remedy], [
    ...["warning", "ends at 1970-01-30T00:00:00.000Z, in 29 days", "renew it"],
  ]);
  assert.equal(judge(-1).severity, "failure");
});

Deno.test("judgeDisk warns of little space, and fails where there is none", () => {
  const gib = 1 << 30;
  const judge = (free: number, total: number, freeFiles = 1e6) =>
    judgeDisk("/var", { free, total, freeFiles }).severity;
  assert.equal(judge(2 * gib, 100 * gib), "ok");
  assert.equal(judge(gib / 2, gib), "ok"); // Half of a small one.
  assert.equal(judge(gib / 2, 100 * gib), "warning");
  assert.equal(judge(1000, 100 * gib), "failure");
  assert.equal(judge(2 * gib, 100 * gib, 10), "failure");
});
