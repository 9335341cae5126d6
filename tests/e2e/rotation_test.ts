import assert from "node:assert/strict";
import { CertifiedEnsemble } from "../cli/certified_ensemble.ts";
import { freePort } from "../free_port.ts";
import { LINUX, ROOT, testWith } from "../requirements.ts";
import { SEALING_PROGRAM } from "../tested_program.ts";
import { installAdministrator } from "./administrator.ts";
import { cookieOf, exists, MountedOver, on, otherHost, startSupervisor } from "./rotating_hosts.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

/** A program that asks another server all the time, and tells how often that failed. */
const ASKING = `
  import { currentServer } from "@gxensemble/ensemble";
  export async function main() {
    const server = currentServer();
    const count = { asked: 0, failures: [] };
    server.serve("traffic", { count: () => count });
    while (!server.signal.aborted) {
      try {
        await server.ask("echo@web1", { type: "echo" });
        count.asked++;
      } catch (error) {
        if (!server.signal.aborted) count.failures.push(error.message);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
`;

const ECHOING = `
  import { currentServer } from "@gxensemble/ensemble";
  export const main = () => {
    currentServer().serve("echo", { echo: () => "here" });
    return currentServer().stopped;
  };
`;

Deno.test("cookie --rotate replaces the cookie on all hosts under traffic", async () => {
  await using ensemble = await RunningEnsemble.start();
  const here = ensemble.places.gerbilPath;
  const there = await otherHost(ensemble, "there");
  await ensemble.startServer("web1", [], ECHOING);
  const asking = await on(ensemble, there, async () => {
    await startSupervisor(ensemble, "supervisor-there");
    return await ensemble.startServer("asking", [], ASKING);
  });
  const old = cookieOf(here);
  const traffic = async () => {
    const lines = await ensemble.lines("call", "--json", "traffic@asking", "count");
    return JSON.parse(lines.join("\n")) as { asked: number; failures: string[] };
  };
  await asking.until(async () => (await traffic()).asked > 0, "asking");
  const connection = async () => {
    const lines = await ensemble.lines("list-connections", "--json", "asking");
    const all = JSON.parse(lines.join("\n")) as { server: string; since: string }[];
    return all.find(({ server }) => server === "web1");
  };
  const before = await connection();
  assert.ok(before, "asking is connected with web1");

  const rotation = { isDone: false };
  const pinging = (async () => {
    let count = 0;
    for (; !rotation.isDone; count++) await ensemble.lines("ping", "web1");
    return count;
  })();
  const lines = await ensemble.lines("cookie", "--rotate");
  rotation.isDone = true;
  assert.ok(await pinging > 0);

  for (const server of ["registry", "supervisor-there", "asking", "web1"]) {
    const at = (what: string) => lines.indexOf(`... ${server} accepts ${what}`);
    assert.ok(at("both") >= 0 && at("the new one only") > at("both"), lines.join("\n"));
  }
  assert.match(
    lines.at(-1)!,
    /^\.\.\. the old one is given up; the new fingerprint is [0-9a-f]{64}$/,
  );
  assert.notDeepEqual(cookieOf(here), old);
  assert.deepEqual(cookieOf(there), cookieOf(here));
  for (const path of [here, there]) {
    assert.equal(await exists(`${path}/ensemble/cookie.next`), false);
    assert.equal((await Deno.stat(`${path}/ensemble/cookie`)).mode! & 0o777, 0o600);
  }
  assert.equal((await connection())?.since, before.since);
  assert.deepEqual((await traffic()).failures, []);

  const outdated = await otherHost(ensemble, "outdated");
  await Deno.writeFile(`${outdated}/ensemble/cookie`, old, { mode: 0o600 });
  await on(ensemble, outdated, async () => {
    assert.match(await ensemble.failure("ping", "web1"), /their cookies differ/);
  });
  assert.deepEqual(
    (await ensemble.lines("cookie", "--status")).slice(1).every((line) => / has it$/.test(line)),
    true,
  );
});

Deno.test("cookie --rotate keeps the old cookie while a server does not have the next one", async () => {
  await using ensemble = await RunningEnsemble.start();
  const alone = await otherHost(ensemble, "alone");
  const old = cookieOf(alone);
  await on(ensemble, alone, () => ensemble.startServer("web2"));
  const first = await ensemble.run("cookie", "--rotate");
  assert.equal(first.code, 1);
  assert.match(first.stderr, /^gxensemble: error: web2 on \S+ has the old one only$/m);
  assert.match(
    first.stderr,
    /the old one stays valid: web2 cannot do without it\. Copy \S+\/cookie\.next to the hosts/,
  );
  const next = `${ensemble.places.cookiePath}.next`;
  assert.deepEqual(cookieOf(ensemble.places.gerbilPath), old);
  assert.match(
    await ensemble.failure("cookie", "-f"),
    /a rotation is under way: there is \S+\/cookie\.next/,
  );
  const [line, ...rest] = await ensemble.lines("cookie", "--status");
  assert.match(
    line!,
    /^a rotation is under way, giving all the next one: the next fingerprint is /,
  );
  assert.deepEqual(rest, ["... registry accepts both", "... web2 has the old one only"]);

  // What the message says.
  await Deno.copyFile(next, `${alone}/ensemble/cookie.next`);
  await Deno.chmod(`${alone}/ensemble/cookie.next`, 0o600);
  const second = await ensemble.run("cookie", "--rotate");
  assert.equal(second.code, 1);
  assert.match(
    second.stderr,
    /web2 may still accept the old one: rename cookie\.next to cookie there, then run "gxensemble cookie --rotate"/,
  );
  await Deno.rename(`${alone}/ensemble/cookie.next`, `${alone}/ensemble/cookie`);
  await ensemble.lines("cookie", "--rotate");
  assert.deepEqual(cookieOf(alone), cookieOf(ensemble.places.gerbilPath));
  assert.notDeepEqual(cookieOf(alone), old);
  await ensemble.lines("ping", "web2");

  // With -f, the one that does not have it is left behind.
  const forced = await ensemble.run("cookie", "--rotate", "-f", "--json");
  assert.equal(forced.code, 0, forced.stderr);
  const { step, servers } = JSON.parse(forced.stdout);
  assert.equal(step, "done");
  const standings = servers.map(({ server, has }: Record<string, string>) => [server, has]);
  assert.deepEqual(standings, [["registry", "new"], ["web2", "old"]]);
});

Deno.test("cookie --abort gives a rotation up, until the new cookie is in use", async () => {
  await using ensemble = await RunningEnsemble.start();
  const there = await otherHost(ensemble, "there");
  const old = cookieOf(there);
  await on(ensemble, there, () => startSupervisor(ensemble, "supervisor-there"));
  assert.match(await ensemble.failure("cookie", "--abort"), /no rotation is under way$/);
  const cut = ensemble.spawn("cookie", "--rotate");
  await cut.printed("... the host of supervisor-there accepts both");
  await cut.kill();
  const isInUse = !Buffer.from(cookieOf(there)).equals(Buffer.from(old));
  if (!isInUse) {
    await ensemble.lines("cookie", "--abort");
    for (const path of [there, ensemble.places.gerbilPath]) {
      assert.deepEqual(cookieOf(path), old);
      assert.equal(await exists(`${path}/ensemble/cookie.next`), false);
    }
  }
  const next = `${ensemble.places.cookiePath}.next`;
  await Deno.copyFile(ensemble.places.cookiePath, next);
  assert.match(await ensemble.failure("cookie", "--abort"), /the new one is in use already/);
});

testWith([LINUX, ROOT, "mount"], {
  name: "cookie --rotate gives the reason of a host that cannot write its files, and goes on later",
  async fn() {
    await using ensemble = await RunningEnsemble.start();
    const there = await otherHost(ensemble, "there");
    await on(ensemble, there, () => startSupervisor(ensemble, "supervisor-there"));
    const old = cookieOf(there);
    const files = `${there}/ensemble`;
    const failing = async (mounts: MountedOver) => {
      using _ = mounts;
      const { code, stderr } = await ensemble.run("cookie", "--rotate");
      assert.equal(code, 1);
      const lines = stderr.trimEnd().split("\n");
      return { reason: lines[0]!, steps: lines.at(-1)! };
    };

    const readOnly = await failing(new MountedOver(files, "ro"));
    assert.match(
      readOnly.reason,
      /^gxensemble: error: the host of supervisor-there: cannot \w+ \S+there\/ensemble\/\S+: Read-only file system/,
    );
    assert.match(
      readOnly.steps,
      /: the old one stays valid: supervisor-there cannot do without it\. Mend what failed on the host of supervisor-there, see above, then run "gxensemble cookie --rotate" again, or with -f /,
    );
    assert.deepEqual(cookieOf(there), old);

    // A file on which something is mounted can be neither replaced nor removed.
    const unused = await failing(new MountedOver(`${files}/cookie`));
    assert.match(
      unused.reason,
      /the host of supervisor-there: cannot write \S+\/cookie: Device or resource busy/,
    );
    assert.match(
      unused.steps,
      /: supervisor-there may still accept the old one: mend what failed on the host of supervisor-there, see above, then run /,
    );
    const unfinished = await failing(new MountedOver(`${files}/cookie.next`));
    assert.match(
      unfinished.reason,
      /the host of supervisor-there: cannot remove \S+\/cookie\.next: Device or resource busy/,
    );
    assert.match(
      unfinished.steps,
      /: the new one is in use, but the rotation is not finished: mend what failed on the host of supervisor-there, /,
    );

    const here = await failing(new MountedOver(`${ensemble.places.cookiePath}.next`));
    assert.match(
      here.reason,
      /^gxensemble: error: cannot remove \S+\/cookie\.next: Device or resource busy/,
    );
    await ensemble.lines("cookie", "--rotate");
    assert.notDeepEqual(cookieOf(there), old);
    assert.deepEqual(cookieOf(there), cookieOf(ensemble.places.gerbilPath));
  },
});

Deno.test("cookie --status exits with 1 when a server does not answer", async () => {
  await using ensemble = await RunningEnsemble.start();
  const web1 = await ensemble.startServer("web1");
  web1.signal("SIGSTOP");
  const text = await ensemble.run("cookie", "--status", "--timeout", "0.5");
  const json = await ensemble.run("cookie", "--status", "--timeout", "0.5", "--json");
  web1.signal("SIGCONT");
  for (const { code, stderr } of [text, json]) {
    assert.equal(code, 1);
    const [reason, last] = stderr.trimEnd().split("\n");
    assert.match(reason!, /^gxensemble: error: web1: .* is stopped/);
    assert.equal(last, "gxensemble: error: it is not known which cookie web1 can use");
  }
  assert.match(text.stdout, /^\.\.\. registry has it$/m);
  assert.deepEqual(
    JSON.parse(json.stdout).servers.map(({ server }: { server: string }) => server),
    ["registry", "web1"],
  );
});

Deno.test("cookie --rotate begins nothing when no registry answers", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.lines("cookie");
  assert.match(await ensemble.failure("cookie", "--rotate"), /registry/);
  assert.equal(await exists(`${ensemble.places.cookiePath}.next`), false);
});

Deno.test("cookie --rotate does not send a cookie over tcp", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.lines("cookie");
  const registry = await ensemble.startRegistry("-l", "tcp://127.0.0.1:0");
  const [, address] = await registry.logged(/registry listens at (tcp:\S+)$/);
  const there = await otherHost(ensemble, "there");
  const { environment } = ensemble.places;
  environment.ENSEMBLE_REGISTRY = address!;
  const { socketDirectory } = ensemble.places;
  environment.ENSEMBLE_SOCKET_DIR = ensemble.path("sockets");
  await on(
    ensemble,
    there,
    () => startSupervisor(ensemble, "supervisor-there", "tcp://127.0.0.1:0"),
  );
  environment.ENSEMBLE_SOCKET_DIR = socketDirectory;
  // A socket of another host, as its kernel is another one.
  await Deno.remove(`${ensemble.path("sockets")}/supervisor-there`);
  const { code, stderr } = await ensemble.run("cookie", "--rotate");
  assert.equal(code, 1);
  assert.match(
    stderr,
    /the host of supervisor-there: the connection with it is not encrypted \(tcp:\S+\), so the secret was not sent: copy the next one to \S+there\/ensemble\/cookie\.next there/,
  );
  assert.equal(await exists(`${there}/ensemble/cookie.next`), false);
});

Deno.test("cookie --rotate gives the next cookie to another host over tls", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.lines("cookie");
  await CertifiedEnsemble.giveAuthority(`${ensemble.places.gerbilPath}/ensemble`);
  const ids = ["registry", "web1", "supervisor-there"].map((id) => ({ id }));
  await CertifiedEnsemble.certify(ensemble.places, [
    ...ids,
    { id: "console", capabilities: ["admin"] },
  ]);
  const url = () => `tls://127.0.0.1:${freePort()}`;
  const at = url();
  await ensemble.startRegistry("-l", at);
  const there = await otherHost(ensemble, "there");
  const { environment, socketDirectory } = ensemble.places;
  environment.ENSEMBLE_REGISTRY = at;
  environment.ENSEMBLE_SOCKET_DIR = `${ensemble.places.directory}/there-sockets`;
  await on(ensemble, there, async () => {
    await startSupervisor(ensemble, "supervisor-there", url());
    const own = url();
    await ensemble.startServer("web1", ["-l", own, "-a", own]);
  });
  environment.ENSEMBLE_SOCKET_DIR = socketDirectory;
  // As on another host, where its socket cannot be reached from here.
  await Deno.remove(`${ensemble.places.directory}/there-sockets/supervisor-there`);
  const lines = await ensemble.lines("cookie", "--rotate");
  assert.ok(lines.includes("... web1 accepts the new one only"), lines.join("\n"));
  assert.deepEqual(cookieOf(there), cookieOf(ensemble.places.gerbilPath));
});

Deno.test("admin --rotate replaces the administrators' key pair while servers run", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.lines("cookie");
  const { right } = await installAdministrator(ensemble);
  const there = await otherHost(ensemble, "there");
  await ensemble.startRegistry();
  await ensemble.startServer("web1");
  await on(ensemble, there, () => startSupervisor(ensemble, "supervisor-there"));
  const plain = await otherHost(ensemble, "plain");
  await Deno.remove(`${plain}/ensemble/admin.pub`);
  await on(ensemble, plain, () => startSupervisor(ensemble, "supervisor-plain"));
  const directory = `${ensemble.places.gerbilPath}/ensemble`;
  const old = await Deno.readTextFile(`${directory}/admin.pub`);
  const oldKey = await Deno.readTextFile(`${directory}/admin.priv`);
  const next = await ensemble.write("next", "trombone\n", { mode: 0o600 });
  ensemble.places.program = SEALING_PROGRAM;
  const args = ["admin", "--rotate", ...right, "--new-passphrase-file", next];
  const lines = await ensemble.lines(...args);
  assert.match(lines.at(-1)!, /^\.\.\. the old one is given up; the new fingerprint is /);
  for (const name of ["supervisor-plain", "the host of supervisor-plain"]) {
    const line = `... ${name} enforces no capabilities, and needs no key`;
    assert.ok(lines.includes(line), lines.join("\n"));
  }
  assert.equal(await exists(`${plain}/ensemble/admin.pub`), false);
  const now = await Deno.readTextFile(`${directory}/admin.pub`);
  assert.notEqual(now, old);
  assert.equal(await Deno.readTextFile(`${there}/ensemble/admin.pub`), now);
  for (const path of ["admin.pub.next", "admin.priv.next"]) {
    assert.equal(await exists(`${directory}/${path}`), false, path);
  }
  // Only the new key opens anything.
  await ensemble.lines("eval", "--passphrase-file", next, "web1", "1 + 1");
  const { code } = await ensemble.run("eval", ...right, "web1", "1 + 1");
  assert.equal(code, 1);
  const outdated = await otherHost(ensemble, "outdated");
  await Deno.writeTextFile(`${outdated}/ensemble/admin.priv`, oldKey, { mode: 0o600 });
  await on(ensemble, outdated, async () => {
    assert.match(await ensemble.failure("eval", ...right, "web1", "1"), /not a valid signature/);
  });
});
