import assert from "node:assert/strict";
import { CertifiedEnsemble } from "../cli/certified_ensemble.ts";
import { PASSPHRASE } from "../cheap_passphrase.ts";
import { TemporaryEnsemble } from "../temporary_ensemble.ts";
import { installAdministrator } from "./administrator.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

const SERVING = `
  import { currentServer } from "@gxensemble/ensemble";
  export const main = async () => {
    currentServer().serve("counter", { get: () => 0, add: () => 1 });
    await currentServer().stopped;
  };
`;

/** The answer to a shell, which must be the only output. */
async function ask(places: TemporaryEnsemble, words: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await places.run("complete", "--shell", "zsh", "--", ...words);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, words.join(" "));
  return stdout.split("\n").slice(0, -1);
}

/**
 * Asks until the answer is the expected one, since on a busy machine it can come too late for a
 * Tab.
 */
async function assertAnswer(
  places: TemporaryEnsemble,
  words: string[],
  expected: string[],
): Promise<void> {
  for (let attempt = 1;; attempt++) {
    const answer = await ask(places, words);
    if (attempt === 8) return assert.deepEqual(answer, expected, words.join(" "));
    if (JSON.stringify(answer) === JSON.stringify(expected)) return;
  }
}

const SERVERS = ["server", "httpd1\thttpd, web", "httpd2\t", "registry\tthe registry"];

Deno.test("completion offers the existing servers, actors and roles", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.startServer("httpd1", ["--roles", "(httpd web)"], SERVING);
  await ensemble.startServer("httpd2");
  const places = ensemble.places;
  const withoutRegistry = SERVERS.slice(0, -1);
  await assertAnswer(places, ["ping", ""], SERVERS);
  await assertAnswer(places, ["shutdown", "-f", "ht"], SERVERS);
  await assertAnswer(places, ["eval", "--", ""], SERVERS);
  await assertAnswer(places, ["ca", "cert", ""], SERVERS);
  await assertAnswer(places, ["lookup", ""], withoutRegistry);
  await assertAnswer(places, ["authorize", "httpd1", ""], withoutRegistry);
  const roles = ["role", "httpd\thttpd1", "web\thttpd1"];
  await assertAnswer(places, ["lookup", "--role", ""], roles);
  await assertAnswer(places, ["watch", "--role", ""], roles);
  await assertAnswer(places, ["lookup", "httpd2", "ht"], withoutRegistry);
  await assertAnswer(places, ["run", "--roles", ""], roles);
  await assertAnswer(places, ["run", "--roles=web,"], ["role", "web,httpd\thttpd1"]);
  const actors = ["actor", "counter\t", "loader\t", "observer\t", "registration\t", "server\t"];
  await assertAnswer(places, ["ping", "httpd1", ""], actors);
  await assertAnswer(places, ["ping", "httpd1", "--json", "co"], actors);
  await assertAnswer(places, ["shutdown", "registry", ""], [
    "actor",
    "loader\t",
    "observer\t",
    "registry\t",
    "server\t",
  ]);
  assert.deepEqual(await ask(places, ["ping", "nosuch", ""]), []);
  await assertAnswer(places, ["ping", "--role", "web", ""], actors);
  await assertAnswer(places, ["call", ""], ["actor", "counter@httpd1\tadd, get"]);
  const types = ["message type", "add\t", "get\t"];
  await assertAnswer(places, ["call", "counter@httpd1", ""], types);
  await assertAnswer(places, ["tell", "--role", "httpd", "counter", ""], types);
});

Deno.test("completion knows the groups, and what their members take", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.startServer(
    "httpd1",
    [],
    `
    import { currentServer } from "@gxensemble/ensemble";
    export function main() {
      const server = currentServer();
      server.join("caches", server.serve("cache", { forget() {}, size: () => 0 }));
      return server.stopped;
    }
  `,
  );
  await assertAnswer(ensemble.places, ["list-groups", ""], ["group", "caches\thttpd1"]);
  await assertAnswer(ensemble.places, ["publish", "caches", ""], [
    "message type",
    "forget\t",
    "size\t",
  ]);
  assert.deepEqual(await ask(ensemble.places, ["publish", "nothing", ""]), []);
});

Deno.test("completion also asks the registries named on the command line", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.lines("cookie");
  const registry = await ensemble.startRegistry("-l", "tcp://127.0.0.1:0");
  const [, url] = await registry.logged(/registry listens at (tcp:\S+)/);
  await ensemble.startServer("httpd1", ["-l", "tcp://127.0.0.1:0"], SERVING);
  using elsewhere = new TemporaryEnsemble();
  await Deno.mkdir(`${elsewhere.gerbilPath}/ensemble`, { recursive: true });
  await Deno.copyFile(ensemble.places.cookiePath, elsewhere.cookiePath);
  const servers = ["server", "httpd1\t", "registry\tthe registry"];
  await assertAnswer(elsewhere, ["ping", "--registry", url!, ""], servers);
  await assertAnswer(
    elsewhere,
    ["ping", "--registry", "nonsense", `--registry=${url}`, ""],
    servers,
  );
  await assertAnswer(elsewhere, ["ping", "--registry", url!, "httpd1", "c"], [
    "actor",
    "counter\t",
    "loader\t",
    "observer\t",
    "registration\t",
    "server\t",
  ]);
  assert.deepEqual(await ask(elsewhere, ["ping", ""]), []);
});

Deno.test("retract and revoke complete authorized and certified servers", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.lines("cookie");
  const { right } = await installAdministrator(ensemble);
  await ensemble.startRegistry();
  await ensemble.startServer("httpd1");
  await ensemble.startServer("deployer");
  await ensemble.lines("authorize", ...right, "httpd1", "deployer", "(loader shutdown)");
  // The command asks for no passphrase.
  await assertAnswer(ensemble.places, ["retract", "httpd1", ""], [
    "server",
    "deployer\tloader, shutdown",
  ]);
  assert.deepEqual(await ask(ensemble.places, ["retract", "deployer", ""]), []);

  assert.deepEqual(await ask(ensemble.places, ["ca", "revoke", ""]), []);
  await CertifiedEnsemble.giveAuthority(`${ensemble.places.gerbilPath}/ensemble`);
  const file = [
    "--passphrase-file",
    await ensemble.write("passphrase", `${PASSPHRASE}\n`, { mode: 0o600 }),
  ];
  const issued = ["b", "a", "b", "c"].map((id) => ({ id }));
  await CertifiedEnsemble.certify(ensemble.places, issued);
  await ensemble.lines("ca", "revoke", ...file, "c");
  assert.deepEqual(await ask(ensemble.places, ["ca", "revoke", ""]), ["server", "a\t", "b\t"]);
});

const QUESTIONS = [
  ["ping", ""],
  ["ping", "httpd1", ""],
  ["lookup", "--role", ""],
  ["retract", "httpd1", ""],
  ["ping", "--registry", "tcp://127.0.0.1:1", ""],
];

async function assertSilent(places: TemporaryEnsemble): Promise<void> {
  for (const words of QUESTIONS) assert.deepEqual(await ask(places, words), [], words.join(" "));
}

Deno.test("completion prints nothing without a cookie, a registry or a home", async () => {
  using places = new TemporaryEnsemble();
  await assertSilent(places);
  await places.run("cookie");
  await assertSilent(places);
  // From here on, no question reaches its own part.
  const assertNone = async () => assert.deepEqual(await ask(places, ["ping", ""]), []);
  await Deno.chmod(places.cookiePath, 0o644);
  await assertNone();
  places.environment.GERBIL_PATH = "relative";
  await assertNone();
  places.environment.GERBIL_PATH = places.gerbilPath;
  places.environment.ENSEMBLE_SOCKET_DIR = "relative";
  await assertNone();
});

Deno.test("completion prints nothing when a registry refuses, does not answer, or is dead", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.startServer("httpd1");
  using stranger = new TemporaryEnsemble();
  await stranger.run("cookie");
  stranger.environment.ENSEMBLE_SOCKET_DIR = ensemble.places.socketDirectory;
  await assertSilent(stranger);

  // A listener that accepts connections and sends nothing.
  using mute = new TemporaryEnsemble();
  await mute.run("cookie");
  await Deno.mkdir(mute.socketDirectory, { mode: 0o700 });
  using _listener = Deno.listen({ transport: "unix", path: `${mute.socketDirectory}/registry` });
  await assertSilent(mute);
});

Deno.test("completion offers no actors of a server that hangs or was killed", async () => {
  await using ensemble = await RunningEnsemble.start();
  const server = await ensemble.startServer("httpd1");
  server.signal("SIGSTOP");
  assert.deepEqual(await ask(ensemble.places, ["ping", "httpd1", ""]), []);
  server.signal("SIGCONT");
  await assertAnswer(ensemble.places, ["ping", "httpd1", ""], [
    "actor",
    "loader\t",
    "observer\t",
    "registration\t",
    "server\t",
  ]);
  await server.kill();
  assert.deepEqual(await ask(ensemble.places, ["ping", "httpd1", ""]), []);
});
