/**
 * The control commands of the REPL.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { controlClient, loaderClient } from "../../runtime/ensemble/remote.ts";
import { EnsembleError, InvalidInputError } from "../../runtime/errors.ts";
import { type Datum, isList, isSymbol, parseNotation } from "../../runtime/notation.ts";
import { isIdentifier } from "../../runtime/repl/repl_protocol.ts";
import { formatActor, formatBacktrace, formatGroup } from "../kit/listing.ts";
import { stopServer } from "../kit/servers.ts";
import { formatLoadReport, loadLibrary, loadModule, printNotices } from "../modules/loading.ts";
import type { RemoteSession } from "./remote_session.ts";

/** The context of a control command. */
export interface ControlContext {
  /** The actors of this console. */
  readonly actors: ActorSystem;
  /** The server in which inputs are evaluated. */
  readonly server: string;
  readonly session: RemoteSession;
  /** The prefixes of modules that the server resolves by itself: `--library-prefix`. */
  readonly libraryPrefix: string[];
  /** Timeout for each answer, in ms. By default there is none. */
  readonly timeout?: number | undefined;
  /** Prints a line of the result. */
  print(line: string): void;
  /** Runs `work`, and first asks for the capability if the server requires it. */
  elevating<Result>(capability: string, work: () => Promise<Result>): Promise<Result>;
}

/** A control command. */
interface ControlCommand {
  /** Its name and its aliases. */
  readonly names: readonly string[];
  /** Each form, and what it does. */
  readonly forms: readonly (readonly [usage: string, description: string])[];
  /** Whether it ends the REPL. */
  readonly ends?: boolean;
  /** Runs it. Returns undefined if the arguments are wrong. */
  run(args: readonly string[], context: ControlContext): Promise<void> | undefined;
}

/** A control command as it was typed. */
export interface ControlLine {
  readonly name: string;
  readonly args: readonly string[];
}

/** Whether a line is a control command. No expression begins with a comma. */
export function isControlLine(line: string): boolean {
  return line.trimStart().startsWith(",");
}

/**
 * Parses a control command. A comment may follow after `;`.
 *
 * @throws {InvalidInputError} if it has no name, or is not a single list of words.
 */
export function parseControlLine(line: string): ControlLine {
  const data = parseNotation(line.trimStart().slice(1));
  const [first] = data;
  const words = data.length === 1 && first !== undefined && isList(first) ? first : data;
  const [name, ...args] = words.map(readWord);
  if (name === undefined) {
    throw new InvalidInputError("missing command name after the comma: see ,help");
  }
  return { name, args };
}

function readWord(datum: Datum): string {
  if (typeof datum === "string") return datum;
  if (isSymbol(datum)) return datum.symbol;
  if (!isList(datum)) return `${datum.keyword}:`;
  throw new InvalidInputError(
    "write a control command as one list, as in ,(name argument): see ,help",
  );
}

const threadState: ControlCommand = {
  names: ["thread-state"],
  forms: [
    [",(thread-state)", "display the thread state for the primordial thread group"],
    [",(thread-state -g)", "display the thread state for all thread groups recursively"],
    [
      ",(thread-state sn)",
      "display the thread state for a thread or group identified by its serial number",
    ],
  ],
  run([which, ...rest], context) {
    if (rest.length > 0) return;
    if (which === undefined || which === "-g") return show(undefined, which === "-g", context);
    const serial = readSerial(which);
    return serial === undefined ? undefined : show(serial, false, context);
  },
};

const threadBacktrace: ControlCommand = {
  names: ["thread-backtrace"],
  forms: [
    [
      ",(thread-backtrace sn)",
      "display a backtrace for a thread identified by its serial number",
    ],
  ],
  run([which, ...rest], context) {
    const serial = readSerial(which ?? "");
    return serial === undefined || rest.length > 0 ? undefined : trace(serial, context);
  },
};

async function show(
  serial: number | undefined,
  recursive: boolean,
  { actors, server, print }: ControlContext,
): Promise<void> {
  const request = serial === undefined ? {} : { serial };
  const info = await controlClient(actors, server).threadState(request);
  const lines = "state" in info ? formatActor(info) : formatGroup(info, { recursive });
  lines.forEach(print);
}

async function trace(serial: number, { actors, server, print }: ControlContext): Promise<void> {
  const backtrace = await controlClient(actors, server).threadBacktrace({ serial });
  formatBacktrace(backtrace).forEach(print);
}

function readSerial(text: string): number | undefined {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

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
    [",(load -r module-id)", "run a loaded module again"],
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
        throw new EnsembleError(
          `${name} is not defined, or is behind a getter, which is not called`,
        );
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

/** All control commands, in the order of the help. */
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
 * Runs a control command.
 *
 * @returns whether the REPL ends.
 *
 * @throws {InvalidInputError} if there is no such command, or its arguments are wrong.
 * @throws {EnsembleError} if it fails.
 */
export async function runControlLine(
  { name, args }: ControlLine,
  context: ControlContext,
): Promise<boolean> {
  const command = CONTROL_COMMANDS.find(({ names }) => names.includes(name));
  if (!command) {
    throw new InvalidInputError(`no control command ,${name}: see ,help`);
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
