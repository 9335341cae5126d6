import assert from "node:assert/strict";
import type { LiveNames } from "../../cli/completion/candidates.ts";
import { type Shell, SHELLS } from "../../cli/completion/scripts.ts";
import { testWith } from "../requirements.ts";
import { LEFT, TAB } from "../terminal.ts";
import { typeInShell } from "../typed_shell.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

/** Actors whose names contain characters that shells interpret. Each begins with its own letter. */
const ODD_NAMES = [
  "a$b",
  "bit's",
  'c"hi"',
  "d;touch${IFS}hurt",
  "e$(touch${IFS}hurt)",
  "f`touch${IFS}hurt`",
  "g*",
  "ha:b",
  "it'",
  "ja=b",
  "ké",
  "mback\\slash",
  "nbang!x",
  "y#c",
  "pa|b>c&d",
  "q{a,b}",
  "t[x]",
  "u?",
  "v~x",
  "w<x>",
  "x%s\\n",
  "zap!",
];

const words = (...names: string[]) =>
  Promise.resolve(names.map((word) => ({ word, description: "" })));

/** The names in the ensemble of {@linkcode startEnsemble}. */
const NAMES: LiveNames = {
  servers: () => words("odd-server", "other", "registry"),
  supervisors: () => words("supervisor-host1", "supervisor-host2"),
  supervisedHosts: () => words("host1", "host2"),
  supervisedServers: () => words("shop1", "shop2"),
  roles: () => words("web", "odd role"),
  actors: (_, servers) =>
    servers !== "all" && "ids" in servers && servers.ids[0] === "odd-server"
      ? words(...ODD_NAMES, "loader", "observer", "registration", "server")
      : words(),
  references: () => words(),
  types: () => words(),
  groups: () => words(),
  typesOfGroup: () => words(),
  authorized: () => words(),
  known: () => words(),
  configured: () => words(),
  certified: () => words(),
};

const ODD_SERVER = `
  import { currentServer } from "@gxensemble/ensemble";
  export const main = async () => {
    const server = currentServer();
    for (const name of ${JSON.stringify(ODD_NAMES)}) server.serve(name, {});
    server.serve("-dash", {});
    server.serve("y\\u202ereversed", {});
    await server.stopped;
  };
`;

async function startEnsemble(): Promise<RunningEnsemble> {
  const ensemble = await RunningEnsemble.start();
  await ensemble.startServer("odd-server", ["--roles", "(web |odd role|)"], ODD_SERVER);
  await ensemble.startServer("other", ["--roles", "web"]);
  return ensemble;
}

/**
 * Types lines again until each has the expected result, since on a busy machine an answer can come
 * too late for a Tab.
 */
async function assertTyped(
  shell: Shell,
  ensemble: RunningEnsemble,
  { expected, names }: { expected: [line: string, call: string[]][]; names?: LiveNames },
): Promise<void> {
  let left = expected;
  for (let attempt = 1; left.length > 0; attempt++) {
    const { calls, screen } = await typeInShell(shell, {
      ensemble: ensemble.places,
      // The shell starts in the tests' directory.
      lines: [`cd '${ensemble.path("")}'`, ...left.map(([line]) => line)],
      ...names && { names },
    });
    const wrong = left.map(([line, call], index) => ({ line, call, got: calls[index + 1] }))
      .filter(({ call, got }) => JSON.stringify(call) !== JSON.stringify(got));
    if (attempt === 8) assert.deepEqual(wrong, [], screen);
    left = wrong.map(({ line, call }) => [line, call]);
  }
}

// One shell asks a real ensemble, since that costs a process for each Tab.
testWith(["bash"], {
  name: "complete offers the servers, roles and actors of the ensemble",
  async fn() {
    await using ensemble = await startEnsemble();
    await ensemble.write("file name.ts", "");
    const complete = ["complete", "--shell", "zsh", "--", "ping", "odd-server", ""];
    let offered: string[] = [];
    // On a busy machine an answer can come too late for a Tab.
    for (let attempt = 1; offered.length === 0 && attempt <= 8; attempt++) {
      const lines = await ensemble.lines(...complete);
      offered = lines.slice(1).map((line) => line.replace(/\t$/, ""));
    }
    const others = ["loader", "observer", "registration", "server"];
    // Not -dash, which would be an option.
    assert.deepEqual(offered.sort(), [...ODD_NAMES, ...others].sort());
    await assertTyped("bash", ensemble, {
      expected: [
        [`gxensemble pi${TAB}x`, ["ping", "x"]],
        [`gxensemble ping od${TAB}`, ["ping", "odd-server"]],
        [`gxensemble ping odd-server serv${TAB}`, ["ping", "odd-server", "server"]],
        [`gxensemble lookup --role od${TAB}`, ["lookup", "--role", "odd role"]],
        [`gxensemble load other fi${TAB}`, ["load", "other", "file name.ts"]],
        [`gxensemble ping nosuch x${TAB}`, ["ping", "nosuch", "x"]],
      ],
    });
  },
});

for (const shell of SHELLS) {
  testWith([shell], {
    name: `${shell} completes a typed word`,
    async fn() {
      await using ensemble = new RunningEnsemble();
      await ensemble.write("file name.ts", "");
      await assertTyped(shell, ensemble, {
        names: NAMES,
        expected: [
          [`gxensemble pi${TAB}x`, ["ping", "x"]],
          [`gxensemble ca sh${TAB}`, ["ca", "show"]],
          [`gxensemble help ca sh${TAB}`, ["help", "ca", "show"]],
          [`gxensemble completions z${TAB}`, ["completions", "zsh"]],
          [`gxensemble ping --js${TAB}other`, ["ping", "--json", "other"]],
          [`gxensemble ping --log de${TAB}other`, ["ping", "--log", "debug", "other"]],
          [`gxensemble ping --log=DE${TAB}other`, ["ping", "--log=DEBUG", "other"]],
          [`gxensemble pi other${LEFT.repeat(6)}${TAB}`, ["ping", "other"]],
          [`gxensemble ping od${TAB}`, ["ping", "odd-server"]],
          [`gxensemble ping odd-server serv${TAB}`, ["ping", "odd-server", "server"]],
          [`gxensemble lookup --role od${TAB}`, ["lookup", "--role", "odd role"]],
          [`gxensemble lookup --role 'od${TAB}`, ["lookup", "--role", "odd role"]],
          [`gxensemble lookup --role "od${TAB}`, ["lookup", "--role", "odd role"]],
          [`gxensemble authorize other odd-server '(loader,sh${TAB}`, [
            "authorize",
            "other",
            "odd-server",
            "(loader,shutdown",
          ]],
          [`gxensemble load other fi${TAB}`, ["load", "other", "file name.ts"]],
          [`gxensemble run --log-file=fi${TAB}`, ["run", "--log-file=file name.ts"]],
          [`gxensemble run new file\\ name.ts fi${TAB}`, [
            "run",
            "new",
            "file name.ts",
            "file name.ts",
          ]],
          // Without candidates, nothing is inserted.
          [`gxensemble ping nosuch x${TAB}`, ["ping", "nosuch", "x"]],
          [`gxensemble eval other fi${TAB}`, ["eval", "other", "fi"]],
        ],
      });
    },
  });

  testWith([shell], {
    name: `${shell} inserts any actor's name without running it`,
    async fn() {
      await using ensemble = new RunningEnsemble();
      await ensemble.write("file name.ts", "");
      const quotes = shell === "fish" ? ["", "'"] : ["", "'", '"'];
      const expected = quotes.flatMap((quote) =>
        ODD_NAMES.map((name): [string, string[]] => [
          `gxensemble ping odd-server ${quote}${name[0]}${TAB}`,
          ["ping", "odd-server", name],
        ])
      );
      await assertTyped(shell, ensemble, { expected, names: NAMES });
      const names = Array.from(Deno.readDirSync(ensemble.path("")), ({ name }) => name);
      assert.ok(!names.includes("hurt"), "something was run");
    },
  });

  testWith([shell], {
    name: `${shell} lists the candidates`,
    async fn() {
      await using ensemble = new RunningEnsemble();
      const { screen } = await typeInShell(shell, {
        ensemble: ensemble.places,
        lines: [`gxensemble ca ${TAB}`, `gxensemble ping --${TAB}`],
      });
      const listed = ["cert", "revoke", "setup", "show", "--help", "--json", "--log", "--registry"];
      if (shell !== "bash") listed.push("list the certificates that were issued");
      for (const word of listed) assert.ok(screen.includes(word), `no ${word}: ${screen}`);
    },
  });
}

for (const shell of ["zsh", "fish"] as const) {
  testWith([shell], {
    name: `${shell} loads the script from its completion directory`,
    async fn() {
      await using ensemble = new RunningEnsemble();
      const { calls, screen } = await typeInShell(shell, {
        ensemble: ensemble.places,
        lines: [`gxensemble pi${TAB}x`, `gxensemble ca sh${TAB}`],
        installation: "autoloaded",
      });
      assert.deepEqual(calls, [["ping", "x"], ["ca", "show"]], screen);
    },
  });
}
