import assert from "node:assert/strict";
import { answer, type LiveNames } from "../../../cli/completion/candidates.ts";
import type { Shell } from "../../../cli/completion/scripts.ts";
import { sourceOf } from "../../../cli/kit/declaration.ts";
import { takesValue } from "../../../cli/completion/typed_line.ts";
import { allCommands, commandPath } from "../../../cli/kit/command_line.ts";
import { commandTree } from "../../../cli/command_tree.ts";
import { KNOWN_CAPABILITIES } from "../../../runtime/server/capability_names.ts";

/** These tests use only the command tree. The tests in tests/e2e ask ensembles. */
const nobody = new Proxy({}, {
  get(_, question) {
    throw new Error(`the ensemble was asked for ${String(question)}`);
  },
}) as LiveNames;

function complete(shell: Shell, ...words: string[]): Promise<string[]> {
  return answer(commandTree(), { shell, words, live: nobody });
}

/** The words offered to zsh, without their descriptions. */
async function offered(...words: string[]): Promise<string[]> {
  const [, ...lines] = await complete("zsh", ...words);
  return lines.map((line) => line.split("\t")[0]!);
}

Deno.test("completion offers commands with their descriptions, but no internal ones", async () => {
  const lines = await complete("zsh", "");
  assert.equal(lines[0], "command");
  assert.ok(lines.includes("ping\tpings a server or actor in the server"));
  assert.ok(lines.includes("completions\tprint the completion script for a shell"));
  assert.ok(!lines.some((line) => line.startsWith("complete\t")));
  assert.deepEqual(await offered("ca", ""), ["setup", "cert", "show", "revoke"]);
});

Deno.test("completion offers command names after help", async () => {
  assert.deepEqual(await offered("help", ""), await offered(""));
  assert.deepEqual(await offered("help", "ca", ""), await offered("ca", ""));
  for (const words of [["ping", ""], ["nosuch", ""], ["ca", "show", ""]]) {
    assert.deepEqual(await offered("help", ...words), []);
  }
});

Deno.test("completion offers long and short options with their descriptions", async () => {
  const lines = await complete("fish", "shutdown", "-");
  assert.equal(lines[0], "option");
  const force =
    "force the action: do not ask for confirmation; with an actor id, end the actor at once, without its clean-up";
  assert.ok(lines.includes(`--force\t${force}`));
  assert.ok(lines.includes(`-f\t${force}`));
  assert.ok(lines.includes("--help\tdisplay help; after a command, its help"));
  assert.deepEqual(await offered("-"), ["--version", "-V", "--gerbil-path", "-G", "--help", "-h"]);
});

Deno.test("completion offers an option again only if it accumulates", async () => {
  const without = async (...words: string[]) => {
    const all = await offered(words[0]!, "-");
    const left = await offered(...words, "-");
    return all.filter((option) => !left.includes(option));
  };
  assert.deepEqual(await without("shutdown", "-f"), ["--force", "-f"]);
  assert.deepEqual(await without("shutdown", "--force", "a"), ["--force", "-f"]);
  assert.deepEqual(await without("ping", "--log", "INFO", "--json"), ["--json", "--log"]);
  assert.deepEqual(await without("ping", "--log=INFO", "--registry=x", "--registry", "y"), [
    "--log",
  ]);
  assert.deepEqual(await without("registry", "-ltcp://a:1", "-a", "x", "-l", "-f"), []);
  assert.deepEqual(await without("run", "--roles", "a", "-l", "--log"), []);
  assert.deepEqual(await without("compile", "--include", "a", "-oout"), ["--output", "-o"]);
});

Deno.test("completion offers fixed values, in lower case too", async () => {
  const levels = ["DEBUG", "INFO", "WARN", "ERROR"];
  assert.deepEqual(await offered("ping", "--log", ""), levels);
  assert.deepEqual(await offered("ping", "--log", "D"), levels);
  assert.deepEqual(await offered("ping", "--log", "d"), levels.map((each) => each.toLowerCase()));
  assert.deepEqual(await offered("completions", ""), ["bash", "zsh", "fish"]);
  assert.deepEqual(await offered("registry", "--store", ""), ["etcd://", "memory:", "sqlite:"]);
  const states = ["starting", "up", "draining", "unreachable", "any"];
  assert.deepEqual(await offered("list-servers", "--state", ""), states);
  assert.deepEqual(await offered("lookup", "--state=u"), states);
});

Deno.test("completion treats a value after = as a whole word in fish, and as bash splits it in bash", async () => {
  assert.equal((await complete("zsh", "ping", "--log="))[1], "DEBUG\t");
  assert.equal((await complete("fish", "ping", "--log="))[1], "--log=DEBUG\t");
  const bash = (line: string, end: string) => complete("bash", `gxensemble ${line}`, end);
  assert.deepEqual(await bash("ping --log=DE", "DE"), ["log level", "DEBUG"]);
  assert.deepEqual(await bash("ping --log=", ""), ["log level", "DEBUG", "INFO", "WARN", "ERROR"]);
  assert.deepEqual(await bash("ping '--log=DE", "--log=DE"), ["log level", "--log=DEBUG"]);
  // Commander would read these as another option, or as a flag with an unused value.
  assert.deepEqual(await bash("ping --lgo=DE", "DE"), []);
  assert.deepEqual(await bash("ping --json=DE", "DE"), []);
});

Deno.test("completion offers each name of a list once", async () => {
  const capabilities = [...KNOWN_CAPABILITIES];
  assert.deepEqual(await offered("authorize", "a", "b", ""), capabilities);
  const others = capabilities.filter((each) => each !== "admin" && each !== "loader");
  assert.deepEqual(await offered("authorize", "a", "b", "(loader,"), [
    "(loader,admin",
    ...others.map((each) => `(loader,${each}`),
  ]);
  assert.deepEqual(await offered("ca", "cert", "--capabilities=admin "), [
    ...capabilities.slice(1).map((each) => `admin ${each}`),
  ]);
});

Deno.test("completion offers files", async () => {
  for (
    const words of [
      ["load", "a", ""],
      ["run", "a", ""],
      ["run", "a", "main.ts", ""],
      ["run", "a", "main.ts", "b", "--log"],
      ["run", "--", "a", "main.ts", ""],
      ["run", "--log-file", ""],
      ["run", "--log-file="],
      ["eval", "--passphrase-file", ""],
      ["compile", "-o", ""],
    ]
  ) {
    assert.deepEqual(await complete("zsh", ...words), ["files"], words.join(" "));
    const line = `gxensemble ${words.join(" ")}`;
    assert.deepEqual(await complete("bash", line, words.at(-1)!), ["files"], line);
  }
  assert.deepEqual(await complete("bash", "gxensemble list-servers >", ""), ["files"]);
});

Deno.test("completion offers servers after actor@", async () => {
  const live = {
    servers: () => Promise.resolve([{ word: "web1", description: "" }]),
  } as unknown as LiveNames;
  const fish = (...words: string[]) => answer(commandTree(), { shell: "fish", words, live });
  assert.deepEqual(await fish("ping", "we"), ["server", "web1\t"]);
  assert.deepEqual(await fish("ping", "counter@we"), ["server", "counter@web1\t"]);
  assert.deepEqual(await fish("shutdown", "a@b,counter@"), ["server", "a@b,counter@web1\t"]);
  assert.deepEqual(await fish("ping", "counter@web1", ""), []);
  // Only there: elsewhere the word is a server id.
  assert.deepEqual(await fish("repl", "counter@we"), ["server", "web1\t"]);
});

Deno.test("completion offers supervisors after -s and --supervisor", async () => {
  const live = {
    supervisors: () => Promise.resolve([{ word: "supervisor-host1", description: "" }]),
    supervisedHosts: () => Promise.resolve([{ word: "host1", description: "supervisor-host1" }]),
    supervisedServers: () => Promise.resolve([{ word: "shop1", description: "stopped" }]),
  } as unknown as LiveNames;
  const fish = (...words: string[]) => answer(commandTree(), { shell: "fish", words, live });
  const expected = ["supervisor", "supervisor-host1\t"];
  assert.deepEqual(await fish("ping", "-s", ""), expected);
  assert.deepEqual(await fish("eval", "--supervisor", "sup"), expected);
  assert.deepEqual(await fish("repl", "--supervisor=sup"), [
    "supervisor",
    "--supervisor=supervisor-host1\t",
  ]);
});

Deno.test("the servers of a configuration are completed, from the file that the line names", async () => {
  const asked: unknown[] = [];
  const live = {
    configured: (_: unknown, file: string | undefined) => {
      asked.push(file);
      return Promise.resolve([{ word: "shop1", description: "shop" }]);
    },
  } as unknown as LiveNames;
  const fish = (...words: string[]) => answer(commandTree(), { shell: "fish", words, live });
  assert.deepEqual(await fish("config", "show", "--server", ""), ["server", "shop1\tshop"]);
  await fish("config", "show", "--config", "a.jsonc", "--server", "s");
  assert.deepEqual(asked, [undefined, "a.jsonc"]);
});

Deno.test("completion offers nothing when there is nothing to know or to add", async () => {
  for (
    const words of [
      ["run", ""],
      ["eval", "a", ""],
      ["eval", "a", "--", "-"],
      ["ping", "--registry", ""],
      ["ping", "a", "b", "c"],
      ["load", "--list", "a", "x"],
      ["authorize", "a", "--list", "x"],
      ["nosuch", "x"],
      ["list-servers", "x"],
      ["list-servers", "--", ""],
      ["ping", "not/a/server", ""],
    ]
  ) assert.deepEqual(await complete("fish", ...words), [], words.join(" "));
  assert.deepEqual(await complete("fish"), await complete("fish", ""));
});

Deno.test("completion offers options when no argument can follow", async () => {
  assert.deepEqual(await offered("list-servers", ""), await offered("list-servers", "-"));
});

Deno.test("completion offers no server name with control characters", async () => {
  const names = ["a\x1b[2J", "b\u202e", "c\u200b", "d\u3164", "e\nf", "g\th", "i'j", "日本", "👩‍🚀"];
  const live = {
    actors: () => Promise.resolve(names.map((word) => ({ word, description: "" }))),
    servers: () => Promise.resolve([{ word: "web1", description: "role\x9b" }]),
  } as unknown as LiveNames;
  const ask = (shell: Shell, ...words: string[]) => answer(commandTree(), { shell, words, live });
  const safe = ["actor", "i'j\t", "日本\t", "👩‍🚀\t"];
  assert.deepEqual(await ask("zsh", "ping", "web1", ""), safe);
  assert.deepEqual(await ask("fish", "ping", "web1", ""), safe);
  assert.deepEqual(await ask("bash", "gxensemble ping web1 ", ""), [
    "actor",
    "i\\'j",
    "日本",
    "\\👩\\\u200d\\🚀",
  ]);
  assert.deepEqual(await ask("fish", "lookup", ""), ["server", "web1\t"]);
});

Deno.test("completion offers a name that begins like an option only where it is read as a name", async () => {
  const named = [{ word: "-x", description: "" }, { word: "y", description: "" }];
  const live = {
    actors: () => Promise.resolve(named),
    roles: () => Promise.resolve(named),
  } as unknown as LiveNames;
  const ask = (...words: string[]) => answer(commandTree(), { shell: "fish", words, live });
  assert.deepEqual(await ask("ping", "web1", ""), ["actor", "y\t"]);
  assert.deepEqual(await ask("ping", "--", "web1", ""), ["actor", "-x\t", "y\t"]);
  assert.deepEqual(await ask("run", "--roles", ""), ["role", "-x\t", "y\t"]);
});

Deno.test("completion offers the next server of a list when a command takes several", async () => {
  const servers = ["a", "b"].map((word) => ({ word, description: "" }));
  const roles = ["db", "web"].map((word) => ({ word, description: "" }));
  const live = {
    servers: () => Promise.resolve(servers),
    roles: () => Promise.resolve(roles),
  } as unknown as LiveNames;
  const ask = (...words: string[]) => answer(commandTree(), { shell: "fish", words, live });
  for (const command of ["eval", "ping", "shutdown", "call", "retract"]) {
    assert.deepEqual(await ask(command, "--role", "db,"), ["role", "db,web\t"], command);
  }
  for (const command of ["load", "eval", "shutdown", "authorize", "retract"]) {
    assert.deepEqual(await ask(command, "a,"), ["server", "a,b\t"], command);
    assert.deepEqual(await ask(command, ""), ["server", "a\t", "b\t"], command);
  }
  assert.deepEqual(await ask("ca", "cert", "a", ""), ["server", "a\t", "b\t"]);
});

Deno.test("completion offers the actors and message types of a set of servers", async () => {
  const words = (...names: string[]) =>
    Promise.resolve(names.map((word) => ({ word, description: "" })));
  const asked: unknown[] = [];
  const live = {
    servers: () => words("a", "b"),
    actors: (_place, servers) => (asked.push(servers), words("counter")),
    references: () => words("counter@a", "counter@b"),
    types: (_place, actor) => (asked.push(actor), words("add", "get")),
  } as Partial<LiveNames> as LiveNames;
  const ask = (...words: string[]) => answer(commandTree(), { shell: "fish", words, live });
  for (const command of ["call", "tell"]) {
    assert.deepEqual(await ask(command, ""), ["actor", "counter@a\t", "counter@b\t"]);
    assert.deepEqual(await ask(command, "counter@a,"), ["server", "counter@a,b\t"]);
    assert.deepEqual(await ask(command, "counter@a", ""), ["message type", "add\t", "get\t"]);
    assert.deepEqual(await ask(command, "--role", "web", ""), ["actor", "counter\t"]);
    assert.deepEqual(await ask(command, "counter", "--all", ""), [
      "message type",
      "add\t",
      "get\t",
    ]);
    assert.deepEqual(await ask(command, "counter@a", "add", ""), []);
    assert.deepEqual(await ask(command, "counter", ""), []);
  }
  assert.deepEqual(await ask("ping", "--all", ""), ["actor", "counter\t"]);
  assert.deepEqual(await ask("shutdown", "--role", "web,db", "co"), ["actor", "counter\t"]);
  assert.deepEqual(asked.slice(0, 3), [
    { servers: { ids: ["a"] }, actor: "counter" },
    { roles: ["web"] },
    { servers: "all", actor: "counter" },
  ]);
  assert.deepEqual(asked.slice(-2), ["all", { roles: ["web", "db"] }]);
});

Deno.test("completion offers groups, and the message types of their members", async () => {
  const live = {
    groups: () => Promise.resolve([{ word: "caches", description: "a, b" }]),
    typesOfGroup: (_place, group) => Promise.resolve([{ word: `of-${group}`, description: "" }]),
  } as Partial<LiveNames> as LiveNames;
  const ask = (...words: string[]) => answer(commandTree(), { shell: "fish", words, live });
  const groups = ["group", "caches\ta, b"];
  assert.deepEqual(await ask("list-groups", ""), groups);
  assert.deepEqual(await ask("list-servers", "--group", ""), groups);
  assert.deepEqual(await ask("watch", "--group", ""), groups);
  assert.deepEqual(await ask("publish", ""), groups);
  assert.deepEqual(await ask("publish", "caches", ""), ["message type", "of-caches\t"]);
  assert.deepEqual(await ask("publish", "caches", "forget", ""), []);
});

Deno.test("every argument and every value of an option has a completion source", () => {
  for (const command of allCommands(commandTree())) {
    if (command.name() === "complete") continue;
    const takers = [...command.registeredArguments, ...command.options.filter(takesValue)];
    for (const taker of takers) {
      const what = `${commandPath(command)}: ${"flags" in taker ? taker.flags : taker.name()}`;
      assert.ok(sourceOf(taker), `${what}: its declaration does not say`);
    }
  }
});
