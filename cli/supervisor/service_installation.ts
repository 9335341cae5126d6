/**
 * `gxensemble supervisor --install` and `--uninstall`: the supervisor as a service of systemd.
 *
 * @module
 */
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { EnsembleError } from "../../runtime/errors.ts";
import { writeWhole } from "../../runtime/home/files.ts";
import {
  SERVICE,
  SERVICE_USER,
  serviceUnit,
  SYSTEM_DIRECTORIES,
  UNIT_HEADING,
} from "../../supervisor/service_unit.ts";
import { isPortable } from "../kit/build.ts";
import { ownCommand } from "../kit/own_command.ts";
import { printLine, printNotice, printText } from "../kit/output.ts";

/** Where the units of the system are. */
const SYSTEM_UNITS = "/etc/systemd/system";

/** Options of {@linkcode installService}. */
export interface InstallationOptions {
  /** Whether the service is the user's, and not the system's. */
  readonly user: boolean;
  /** Whether the unit is only printed. */
  readonly dryRun: boolean;
  /** Whether a unit that is different is replaced. */
  readonly force: boolean;
  /** The configuration, an absolute path; undefined for the one in the ensemble's directory. */
  readonly config: string | undefined;
  /** The directory of the system's units, for tests. */
  readonly systemUnits?: string;
}

/**
 * Writes the unit of this host's supervisor, and prints what to do next.
 *
 * @throws {EnsembleError} if there is another unit, or it cannot be written.
 */
export async function installService(options: InstallationOptions): Promise<void> {
  const { user, dryRun, force, config } = options;
  requireSystemd();
  const path = unitPath(options);
  const environment = user ? givenDirectories() : { ...SYSTEM_DIRECTORIES, ...givenDirectories() };
  const configuration = config ?? `${stateDirectory(environment)}/ensemble.jsonc`;
  const program = await findProgram();
  const unit = serviceUnit({
    scope: user ? "user" : "system",
    command: [...program, "supervisor", ...config === undefined ? [] : ["--config", config]],
    environment,
    configuration,
  });
  if (!user) warnOfHomes([...program.filter((word) => word.startsWith("/")), configuration]);
  if (dryRun) return printText(unit);
  const existing = await readUnit(path);
  if (existing !== undefined && existing !== unit && !force) {
    throw new EnsembleError(
      `${path} exists and is different: see what would change by adding ` +
        `--dry-run | diff ${path} - to the command, and replace it with -f`,
    );
  }
  if (existing === unit) printNotice(`... ${path} is up to date`);
  else {
    await changing(path, async () => {
      if (user) await Deno.mkdir(unitDirectory(options), { recursive: true });
      await writeWhole(path, unit, { mode: 0o644, replace: true });
    });
    printNotice(`... the service is in ${path}. Next:`);
  }
  for (const line of user ? userSteps(config) : systemSteps({ environment, config })) {
    printLine(line);
  }
}

/**
 * Removes the unit of this host's supervisor.
 *
 * @throws {EnsembleError} if there is none, if it is in use, or if it was not written here.
 */
export async function uninstallService(
  options: Pick<InstallationOptions, "user" | "force" | "systemUnits">,
): Promise<void> {
  const { user, force } = options;
  requireSystemd();
  const path = unitPath(options);
  const systemctl = `systemctl${user ? " --user" : ""}`;
  const existing = await readUnit(path);
  if (existing === undefined) throw new EnsembleError(`there is no ${path}`);
  if (!force && !existing.startsWith(UNIT_HEADING)) {
    throw new EnsembleError(
      `${path} was not written by gxensemble supervisor --install; remove it with -f`,
    );
  }
  const target = user ? "default.target" : "multi-user.target";
  const link = `${unitDirectory(options)}/${target}.wants/${SERVICE}.service`;
  if (!force && await exists(link)) {
    throw new EnsembleError(
      `the service is enabled: stop it first, with its servers, with ${systemctl} disable --now ` +
        SERVICE,
    );
  }
  await changing(path, () => Deno.remove(path));
  printNotice(`... ${path} is removed; the state of the ensemble is not. Next:`);
  printLine(`${systemctl} daemon-reload`);
}

function requireSystemd(): void {
  if (Deno.build.os === "linux") return;
  throw new EnsembleError(
    "services are installed for systemd, which this system does not have: start gxensemble " +
      "supervisor with what it has, for example launchd",
  );
}

function unitDirectory({ user, systemUnits = SYSTEM_UNITS }: {
  readonly user: boolean;
  readonly systemUnits?: string;
}): string {
  if (!user) return systemUnits;
  const home = Deno.env.get("XDG_CONFIG_HOME") || join(Deno.env.get("HOME") ?? "/", ".config");
  return join(home, "systemd/user");
}

function unitPath(options: { readonly user: boolean; readonly systemUnits?: string }): string {
  return `${unitDirectory(options)}/${SERVICE}.service`;
}

/** The directories that the user has chosen, by their variables. */
function givenDirectories(): Record<string, string> {
  return Object.fromEntries(
    Object.keys(SYSTEM_DIRECTORIES).flatMap((name) => {
      const value = Deno.env.get(name);
      return value ? [[name, value]] : [];
    }),
  );
}

function stateDirectory({ GERBIL_PATH }: Readonly<Record<string, string>>): string {
  return `${GERBIL_PATH ?? join(Deno.env.get("HOME") ?? "/", ".gerbil")}/ensemble`;
}

/** The command line of this program, with absolute paths. */
async function findProgram(): Promise<string[]> {
  if (isPortable()) return [await findPortable()];
  const { program, args } = await ownCommand();
  const { mainModule } = Deno;
  const main = mainModule.startsWith("file:") ? fileURLToPath(mainModule) : mainModule;
  return Deno.build.standalone ? [program] : [program, ...args.slice(0, -1), main];
}

/**
 * A portable executable runs from its cache, of which a later release has another. So it is looked
 * for where the user's shell finds it.
 */
async function findPortable(): Promise<string> {
  for (const directory of (Deno.env.get("PATH") ?? "").split(delimiter)) {
    const path = `${directory}/gxensemble`;
    if (path.startsWith("/") && await exists(path)) return path;
  }
  throw new EnsembleError(
    "there is no gxensemble on the PATH, which the service could start: install it, for example in " +
      "/usr/local/bin",
  );
}

/** The service of the system sees no home directories. */
function warnOfHomes(paths: readonly string[]): void {
  for (const path of paths.filter((path) => /^\/(home|root|run\/user)\//.test(path))) {
    printNotice(
      `warning: the service will not see ${path}, since it is in a home directory: move it, or ` +
        "use --user",
    );
  }
}

async function readUnit(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new EnsembleError(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** Changes a unit, which takes the rights of root for those of the system. */
async function changing(path: string, change: () => Promise<void>): Promise<void> {
  try {
    await change();
  } catch (error) {
    const isRefused = error instanceof Deno.errors.PermissionDenied ||
      error instanceof Error && /EACCES|permission denied/i.test(error.message);
    if (!isRefused) throw error;
    throw new EnsembleError(
      `cannot write ${path}: permission denied. Use sudo, or --user for a service of your own`,
      { cause: error },
    );
  }
}

function systemSteps({ environment, config }: {
  readonly environment: Readonly<Record<string, string>>;
  readonly config: string | undefined;
}): string[] {
  const { GERBIL_PATH, GXENSEMBLE_CACHE_DIR } = environment;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return [
    `systemd-sysusers --inline 'u ${SERVICE_USER} - "actor ensemble" ${GERBIL_PATH}'`,
    `install -d -m 700 -o ${SERVICE_USER} -g ${SERVICE_USER} ${GERBIL_PATH} ${GXENSEMBLE_CACHE_DIR}`,
    `alias gx='sudo -u ${SERVICE_USER} env ${variables.join(" ")} gxensemble'`,
    "gx cookie",
    ...config === undefined ? ["gx config init"] : [],
    "systemctl daemon-reload",
    `systemctl enable --now ${SERVICE}`,
  ];
}

function userSteps(config: string | undefined): string[] {
  return [
    "gxensemble cookie",
    ...config === undefined ? ["gxensemble config init"] : [],
    "loginctl enable-linger",
    "systemctl --user daemon-reload",
    `systemctl --user enable --now ${SERVICE}`,
  ];
}
