/**
 * The control commands of the REPL.
 *
 * @module
 */
import { loaderClient } from "../../runtime/ensemble/remote.ts";
import { stopServer } from "../stop_server.ts";
import { isIdentifier } from "../../runtime/code/completion.ts";
import { EnsembleError, InvalidInputError } from "../../runtime/errors.ts";
import { formatLoadReport, loadLibrary, loadModule, printNotices } from "../loading.ts";
import type { ControlCommand, ControlContext } from "./control_command.ts";
import type { ControlLine } from "./control_line.ts";
import { threadBacktrace, threadState } from "./thread_commands.ts";

const importModule: ControlCommand = {
  names: ["import"],
  forms: [[",(import module-id)", "import a module locally for expansion"]],
  run([moduleId, ...rest], { session }) {
    if (moduleId === undefined || rest.length > 0) return;
    return session.importAll(moduleId);
  },
};

const LOAD_FLAGS = new Set(["-f", "-l", "-r"]);

const load: ControlCommand = {
  names: ["load"],
  forms: [
    [",(load module-id)", "load the code and dependencies for a module"],
    [",(load -f module-id)", "forcibly load a module ignoring dependencies"],
    [",(load -l module-id)", "load a library module"],
    [",(load -r module-id)", "run a module anew that has been loaded before"],
  ],
  run(args, context) {
    const [flags, [moduleId, ...rest]] = [
      args.filter((arg) => LOAD_FLAGS.has(arg)),
      args.filter((arg) => !LOAD_FLAGS.has(arg)),
    ];
    if (moduleId === undefined || moduleId.startsWith("-")) return;
    if (rest.length > 0 || flags.length > 1) return;
    return loadIn(moduleId, flags[0], context);
  },
};

async function loadIn(
  moduleId: string,
  flag: string | undefined,
  { actors, server, libraryPrefix, timeout, elevating, print }: ControlContext,
): Promise<void> {
  const loader = loaderClient(actors, server);
  const report = await elevating(
    "loader",
    () =>
      flag === "-l" ? loadLibrary(loader, moduleId, { timeout }) : loadModule(loader, moduleId, {
        timeout,
        force: flag === "-f",
        rerun: flag === "-r",
        libraryPrefix,
      }),
  );
  formatLoadReport(report).forEach(print);
  printNotices(report);
}

const isDefined: ControlCommand = {
  names: ["defined?"],
  forms: [[",(defined? id)", "checks if an identifier is defined at the server"]],
  run([name, ...rest], { session, print }) {
    if (name === undefined || rest.length > 0) return;
    return session.isDefined(name).then((defined) => print(String(defined)));
  },
};

const doc: ControlCommand = {
  names: ["doc"],
  forms: [[",(doc id)", "describe what an identifier or a.b.c stands for at the server"]],
  run([name, ...rest], { session, print }) {
    const path = name?.split(".") ?? [];
    if (path.length === 0 || rest.length > 0 || !path.every(isIdentifier)) return;
    return session.describe(path).then((description) => {
      if (description === undefined) {
        throw new EnsembleError(`${name} is not defined, or behind a getter, which is not run`);
      }
      description.split("\n").forEach(print);
    });
  },
};

const shutdown: ControlCommand = {
  names: ["shutdown"],
  forms: [[",(shutdown)", "shut down the server and exit the repl"]],
  ends: true,
  run(args, { actors, server, timeout, elevating, print }) {
    if (args.length > 0) return;
    print(`... shutting down ${server}`);
    return elevating("shutdown", () => stopServer(actors, server, { print, timeout }));
  },
};

const quit: ControlCommand = {
  names: ["q", "quit"],
  forms: [[",q ,quit", "quit the repl"]],
  ends: true,
  run: (args) => args.length > 0 ? undefined : Promise.resolve(),
};

const help: ControlCommand = {
  names: ["h", "help"],
  forms: [[",h ,help", "display this help message"]],
  run(args, { print }) {
    if (args.length > 0) return;
    formatHelp().forEach(print);
    return Promise.resolve();
  },
};

/** All of them, in the order of the help. */
export const CONTROL_COMMANDS: readonly ControlCommand[] = [
  importModule,
  load,
  isDefined,
  doc,
  threadState,
  threadBacktrace,
  shutdown,
  quit,
  help,
];

/**
 * Runs a control command; says whether the REPL ends with it.
 *
 * @throws {InvalidInputError} when there is none of that name, or its arguments are wrong.
 * @throws {EnsembleError} when it fails.
 */
export async function runControlLine(
  { name, args }: ControlLine,
  context: ControlContext,
): Promise<boolean> {
  const command = CONTROL_COMMANDS.find(({ names }) => names.includes(name));
  if (!command) {
    throw new InvalidInputError(`there is no control command ,${name}: ,help lists them`);
  }
  const running = command.run(args, context);
  if (!running) {
    const usages = command.forms.map(([usage]) => usage);
    throw new InvalidInputError(`wrong arguments for ,${name}: write ${usages.join(" or ")}`);
  }
  await running;
  return command.ends ?? false;
}

function formatHelp(): string[] {
  const forms = CONTROL_COMMANDS.flatMap(({ forms }) => forms);
  const width = Math.max(...forms.map(([usage]) => usage.length));
  return [
    "Control commands:",
    ...forms.map(([usage, description]) => `  ${usage.padEnd(width)} -- ${description}`),
  ];
}
