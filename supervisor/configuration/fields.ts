/**
 * The fields of `ensemble.jsonc`, with their meaning, defaults and checks. The JSON schema and the
 * tables of the documentation are made from them.
 *
 * Fields that `gxensemble run` and `gxensemble registry` have as options have the same names, and
 * are parsed by the same parsers.
 *
 * @module
 */
import { DEFAULT_LEASE, parseStoreLocation } from "../../registry/store.ts";
import { checkServerId, REGISTRY_ID } from "../../runtime/actor/references.ts";
import { DEFAULT_GRACE } from "../../runtime/ensemble/start_options.ts";
import { InvalidInputError } from "../../runtime/errors.ts";
import { parseDenials, PERMISSIONS } from "../../runtime/home/denials.ts";
import {
  LOG_FORMATS,
  LOG_LEVELS,
  type LogFormat,
  type LogLevel,
  parseLogLevel,
} from "../../runtime/home/log_options.ts";
import { formatDuration, formatSize } from "../../runtime/measures.ts";
import { quoted } from "../../runtime/safe_text.ts";
import { KNOWN_CAPABILITIES, parseCapability } from "../../runtime/server/capability_names.ts";
import { parseAddresses } from "../../runtime/wire/address.ts";
import { parseHttpAddress } from "../../runtime/wire/http_address.ts";
import { STOP_SIGNALS } from "./configuration.ts";
import * as defaults from "./defaults.ts";
import {
  duration,
  either,
  type Field,
  type Fields,
  flag,
  list,
  map,
  number,
  object,
  onlyFalse,
  onlyTrue,
  type Shape,
  size,
  text,
  type ValueOf,
  word,
} from "./shapes.ts";

/** What the ids of supervisors begin with. */
export const SUPERVISOR_PREFIX = "supervisor-";

/** What a name stands before that is a role, where ids may stand, too: `role:web`. */
export const ROLE_MARK = "role:";

const SERVER_ID = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}";
const HOST = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
const VARIABLE_NAME = "[A-Za-z_][A-Za-z0-9_]*";

const file = (what: string) => text({ expected: `the path of ${what}`, check: checkPath });

const address = text({
  expected: "an address, such as tcp://10.0.0.1:4000, tls://10.0.0.1:4000 or unix:/path",
  check: parseAddresses,
  examples: ["tls://10.0.0.1:4000", "tcp://127.0.0.1:4000", "unix:/run/ensemble/web1"],
});

const host = text({
  expected: "the first label of a host's name, such as host1",
  pattern: HOST,
  check: checkHost,
});

const hosts = either(host, list(host));

const capability = text({
  expected: "a capability",
  check: parseCapability,
  words: KNOWN_CAPABILITIES,
});

const capabilitiesById = map(list(capability, { most: 32 }), {
  expected: "capabilities by server id, or by role:<role>",
  namePattern: `(?:${ROLE_MARK}.+|${SERVER_ID})`,
  checkName: (name) => name.startsWith(ROLE_MARK) || checkServerId(name),
});

const logLevel = word(LOG_LEVELS, {
  read: (text) => parsed(() => LOG_LEVELS.find((each) => each === levelName(text))),
});

const environmentValue = either(
  text({ expected: "a text", check: checkArgument, isFree: true }),
  object({
    file: required(
      file("a file"),
      "The file whose content is the value, without the line break at its end. Other users must not be able to read it.",
    ),
  }, { expected: 'a file with a secret, { "file": "<path>" }' }),
);

const RESTART_POLICIES = ["permanent", "transient", "temporary"] as const;

const policy = word(RESTART_POLICIES);

const { RESTART, HEALTH, OUTPUT, TIMES } = defaults;

/** Fields of everything that a supervisor runs. */
const PROCESS = {
  env: optional(
    map(environmentValue, {
      expected: "environment variables by name",
      namePattern: VARIABLE_NAME,
      checkName: checkVariableName,
    }),
    'Environment variables, in addition to those of the supervisor: a text, or { "file": "<path>" } for a secret. A variable of the server is added to those of its role, or replaces one.',
    { default: {} },
  ),
  envFiles: optional(
    list(file("a file with lines NAME=value")),
    "Files with environment variables, in lines NAME=value. Those in env replace them.",
    { default: [] },
  ),
  listen: optional(list(address), "Additional addresses to listen on, as --listen has them.", {
    default: [],
  }),
  announce: optional(
    list(address),
    "Public addresses to announce to the registry, as --announce has them.",
    { otherwise: "the addresses it listens on" },
  ),
  log: optional(
    object({
      level: optional(logLevel, "The least severe level that is logged.", { default: "INFO" }),
      format: optional(
        word(LOG_FORMATS),
        "The format of log records: lines of text, or one JSON object per line.",
        { default: "text" satisfies LogFormat },
      ),
      file: optional(
        file("a file, or -"),
        "The file to log to; - for the file log in the server's directory. Its records are then not in the output that the supervisor keeps.",
        { otherwise: "the output that the supervisor keeps" },
      ),
    }),
    "Its log, as --log, --log-format and --log-file have it.",
  ),
  http: optional(
    either(
      text({
        expected: "host:port",
        check: parseHttpAddress,
        examples: ["9100", "0.0.0.0:9100"],
      }),
      number({ least: 0, most: 65535 }),
    ),
    "Where it serves metrics and health checks over HTTP, as --http has it. With only a port, at 127.0.0.1.",
    { otherwise: "nowhere" },
  ),
  httpToken: optional(
    file("a file"),
    "The file with the token that clients of http have to send. Needed if other hosts can connect.",
  ),
};

/** Fields of what a supervisor starts, watches and restarts. */
const SUPERVISED = {
  ...PROCESS,
  loader: optional(
    flag(),
    "Whether it accepts code from clients: load, eval and REPLs. With false, as --no-loader.",
    { default: true },
  ),
  restart: optional(
    either(
      policy,
      object({
        policy: optional(
          policy,
          "permanent: always; transient: if it failed; temporary: never. What an operator stopped stays stopped.",
          { default: RESTART.policy },
        ),
        backoff: optional(
          object({
            min: optional(duration(TIMES), "The delay before the first restart.", {
              default: formatDuration(RESTART.backoff.min),
            }),
            max: optional(duration(TIMES), "The longest delay.", {
              default: formatDuration(RESTART.backoff.max),
            }),
            factor: optional(
              number({ least: 1, most: 10, isFraction: true }),
              "How many times longer each next delay is.",
              { default: RESTART.backoff.factor },
            ),
          }),
          "The delays before restarts.",
        ),
        intensity: optional(
          object({
            restarts: optional(
              number({ least: 0, most: 1_000 }),
              "The number of restarts that are allowed in that time.",
              { default: RESTART.intensity.restarts },
            ),
            within: optional(duration(TIMES), "The time in which they are counted.", {
              default: formatDuration(RESTART.intensity.within),
            }),
          }),
          "The limit of restarts. A server that passes it stays down, and is reported as a crash loop.",
        ),
        resetAfter: optional(
          duration(TIMES),
          "The time that it has to be up for the delays to begin anew.",
          { default: formatDuration(RESTART.resetAfter) },
        ),
      }),
    ),
    "When it is restarted after it ended: a policy, or an object with the policy and its limits.",
    { default: RESTART.policy },
  ),
  start: optional(
    object({
      timeout: optional(
        duration(TIMES),
        "The time that it has to become up. Then it is stopped, and counts as failed.",
        { default: formatDuration(defaults.START.timeout) },
      ),
    }),
    "How it starts.",
  ),
  stop: optional(
    object({
      signal: optional(word(STOP_SIGNALS), "The signal that asks it to stop.", {
        default: defaults.STOP_SIGNAL,
      }),
      killAfter: optional(
        duration(TIMES),
        "The time after that until it is killed with SIGKILL.",
        { otherwise: `grace and ${formatDuration(defaults.KILL_AFTER_GRACE)}` },
      ),
    }),
    "How it is stopped.",
  ),
  health: optional(
    either(
      onlyTrue(),
      onlyFalse(),
      object({
        ping: optional(onlyTrue(), "Checks by a ping.", { otherwise: "true without expression" }),
        expression: optional(
          text({ expected: "a JavaScript expression", check: checkNotEmpty }),
          "Checks by an expression, which has to be true in the server. It may be a promise.",
        ),
        interval: optional(duration(TIMES), "The time between two checks.", {
          default: formatDuration(HEALTH.interval),
        }),
        timeout: optional(duration(TIMES), "The time in which each check has to be answered.", {
          default: formatDuration(HEALTH.timeout),
        }),
        failures: optional(
          number({ least: 1, most: 1_000 }),
          "The number of failures in a row after which it is restarted.",
          { default: HEALTH.failures },
        ),
        startAfter: optional(
          duration(defaults.TIMES_FROM_ZERO),
          "The time from when it is up until the first check.",
          { otherwise: "interval" },
        ),
      }),
    ),
    "Checks its health while it is up, and restarts it when it is not healthy: true for a ping with the defaults, false for none, or an object.",
    { default: false },
  ),
  memoryLimit: optional(
    size(defaults.MEMORY),
    "The resident memory above which it is restarted.",
    { otherwise: "no limit" },
  ),
  workingDirectory: optional(
    file("a directory"),
    "The directory in which it runs. Relative paths in the other fields start there; its own starts at the directory of the configuration.",
    { otherwise: "the directory of the configuration" },
  ),
  user: optional(
    text({ expected: "the name of a user, or a uid", check: checkUser }),
    "The user that it runs as. Only for a supervisor that runs as root.",
    { otherwise: "the supervisor's user" },
  ),
  output: optional(
    object({
      size: optional(size(defaults.OUTPUT_SIZES), "The size at which a new file begins.", {
        default: formatSize(OUTPUT.size),
      }),
      keep: optional(
        number({ least: 0, most: 1_000 }),
        "The number of older files that are kept.",
        { default: OUTPUT.keep },
      ),
    }),
    "The files of its standard output and standard error, which the supervisor keeps.",
  ),
};

/** Fields of a role, which a server of the role may override. */
const ROLE = {
  module: optional(
    file("a module"),
    "The module to run, as gxensemble run has it. A server has either a module or an executable.",
  ),
  executable: optional(
    file("an executable"),
    "The executable to run, which gxensemble compile made.",
  ),
  plain: optional(
    flag(),
    "Whether the executable is any other program: it gets only its arguments, is no server of the ensemble, and counts as up while it runs.",
    { default: false },
  ),
  args: optional(
    list(text({ expected: "a text", check: checkArgument, isFree: true })),
    "The arguments of the module's main, or of the program.",
    { default: [] },
  ),
  roles: optional(
    list(text({ expected: "a role", check: checkNotEmpty })),
    "The roles that it registers, as --roles has them.",
    { otherwise: "the name of its role" },
  ),
  registry: optional(
    list(address),
    "The addresses of the registry, as --registry has them.",
    { otherwise: "those of the host: known-servers, or the registry's UNIX socket" },
  ),
  grace: optional(
    duration(defaults.TIMES_FROM_ZERO),
    "The time that its actors and main have to stop, as --grace has it.",
    { default: formatDuration(DEFAULT_GRACE) },
  ),
  deny: optional(
    list(text({
      expected: "a Deno permission, or a part of one",
      check: parseDenials,
      words: PERMISSIONS,
      examples: ["run", "ffi", "write=/etc"],
    })),
    "The Deno permissions that it does not get, as --deny has them.",
    { default: [] },
  ),
  capabilities: optional(
    object({
      given: optional(
        capabilitiesById,
        "The capabilities of other servers in this one, by server id or role:<role>.",
        { default: {} },
      ),
      granted: optional(
        capabilitiesById,
        "The capabilities of this server in others of this file, by server id or role:<role>.",
        { default: {} },
      ),
    }),
    "Capabilities given to other servers, and granted by them. They matter if the ensemble has administrators.",
  ),
  after: optional(
    list(text({ expected: "a server id or a role", check: checkNotEmpty })),
    "The servers that have to be up before it is started, by id or by role. The registry always has to.",
    { default: [] },
  ),
  ...SUPERVISED,
};

const enabled = optional(
  flag(),
  "Whether the supervisor starts it by itself. With false, an operator can start it.",
  { default: true },
);

const role = required(
  text({ expected: "the name of a role", check: checkNotEmpty }),
  "Its role, one of roles.",
);

const hostField = optional(
  host,
  "The host on which it runs, by the first label of its name.",
  { otherwise: "every host that has this file" },
);

/** The shape of a role. */
export const ROLE_SHAPE = object(ROLE, { expected: "a role: an object with fields" });

const SERVER = { role, host: hostField, enabled, ...ROLE };

const WORKERS = {
  role,
  prefix: required(
    text({
      expected: "what the ids begin with",
      check: checkPrefix,
      pattern: "[A-Za-z0-9_][A-Za-z0-9_.-]{0,58}",
    }),
    "What their ids begin with: with worker, they are worker-0, worker-1 and so on.",
  ),
  count: required(number({ least: 0, most: defaults.MOST_WORKERS }), "How many there are."),
  host: hostField,
  enabled,
  ...ROLE,
};

const REGISTRY = {
  host: optional(
    hosts,
    "The host, or a list of hosts, on which it runs, each by the first label of its name.",
    { otherwise: "every host that has this file" },
  ),
  store: optional(
    text({
      expected: "a store",
      check: parseStoreLocation,
      examples: ["sqlite:", "memory:", "etcd://etcd1:2379,etcd2:2379/ensemble"],
    }),
    "The store for its entries, as --store has it.",
    { default: "sqlite:" },
  ),
  storeUser: optional(
    text({ expected: "the name of a user", check: checkNotEmpty }),
    "The user of the store in etcd.",
  ),
  storePasswordFile: optional(file("a file"), "The file with the password of that user."),
  storeCa: optional(
    file("a file"),
    "The certificates of the authorities of the etcd members. Turns TLS on.",
  ),
  storeCert: optional(file("a file"), "The client certificate for etcd. Turns TLS on."),
  storeKey: optional(file("a file"), "The private key of the client certificate."),
  lease: optional(
    duration({ least: 2_000, most: 3_600_000 }),
    "How long a server counts as reachable after it was last heard, as --lease has it.",
    { default: formatDuration(DEFAULT_LEASE) },
  ),
  ...SUPERVISED,
};

const SUPERVISOR = {
  ...pick(PROCESS, ["listen", "announce", "log", "http", "httpToken"]),
  registry: optional(
    list(address),
    "The addresses of the registry, as --registry has them.",
    { otherwise: "those of the host: known-servers, or the registry's UNIX socket" },
  ),
  executor: optional(
    flag(),
    "Whether operators with the capability executor may run programs on the host.",
    { default: false },
  ),
  filesystem: optional(
    flag(),
    "Whether operators with the capability filesystem may upload files to the host.",
    { default: false },
  ),
  uploads: optional(
    object({
      directory: optional(file("a directory"), "The directory of uploaded files.", {
        otherwise: "uploads in the state directory",
      }),
      limit: optional(size(defaults.UPLOAD_SIZES), "The size of all uploaded files.", {
        default: formatSize(defaults.UPLOAD_LIMIT),
      }),
    }),
    "Where uploaded files are, and how large they may be together.",
  ),
};

/** The fields of the file. */
export const FILE = {
  $schema: optional(
    text({ expected: "the path or URL of the schema" }),
    "The JSON schema of this file, for editors.",
  ),
  registry: optional(
    either(onlyTrue(), onlyFalse(), object(REGISTRY)),
    "The registry that the supervisor runs: true for one with the defaults, false for none, or an object with the options of gxensemble registry.",
    { default: false },
  ),
  roles: optional(
    map(ROLE_SHAPE, {
      expected: "roles by name",
      namePattern: ".+",
      checkName: checkRoleName,
    }),
    "What a server of each role is, by the name of the role.",
    { default: {} },
  ),
  servers: optional(
    map(object(SERVER, { expected: "a server: an object with its role" }), {
      expected: "servers by id",
      namePattern: SERVER_ID,
      checkName: checkOwnId,
    }),
    "The servers, by id. Each has a role, and may override the fields of the role.",
    { default: {} },
  ),
  workers: optional(
    list(
      object(WORKERS, { expected: "a group of workers: an object with role, prefix and count" }),
    ),
    "Groups of servers that differ by a number.",
    { default: [] },
  ),
  supervisor: optional(object(SUPERVISOR), "The supervisor itself."),
} satisfies Fields;

/** The shape of the file. */
export const FILE_SHAPE = object(FILE, { expected: "an object, {...}" });

/** The file as it was read. A field that is missing or wrong is absent. */
export type FileValue = ValueOf<typeof FILE_SHAPE>;

/** A role, or the overrides of a server, as it was read. */
export type RoleValue = ValueOf<typeof ROLE_SHAPE>;

/** A server as it was read. */
export type ServerValue = NonNullable<FileValue["servers"]>[string];

/** A group of workers as it was read. */
export type WorkersValue = NonNullable<FileValue["workers"]>[number];

/** The registry as it was read. */
export type RegistryValue = Exclude<NonNullable<FileValue["registry"]>, boolean>;

/** The supervisor as it was read. */
export type SupervisorValue = NonNullable<FileValue["supervisor"]>;

/** The level with a name as `--log` takes it. */
export function readLevel(name: typeof LOG_LEVELS[number]): LogLevel {
  return parseLogLevel(name);
}

function optional<Value>(
  shape: Shape<Value>,
  description: string,
  { default: fallback, otherwise }: Pick<Field<Value>, "default" | "otherwise"> = {},
): Field<Value> {
  return {
    shape,
    description,
    ...fallback !== undefined && { default: fallback },
    ...otherwise !== undefined && { otherwise },
  };
}

function required<Value>(shape: Shape<Value>, description: string): Field<Value> {
  return { shape, description, isRequired: true };
}

function pick<Own extends Fields, Name extends keyof Own>(
  fields: Own,
  names: readonly Name[],
): Pick<Own, Name> {
  return Object.fromEntries(names.map((name) => [name, fields[name]])) as Pick<Own, Name>;
}

/** WARNING is another name of WARN. */
function levelName(text: string): string {
  parseLogLevel(text);
  const name = text.toUpperCase();
  return name === "WARNING" ? "WARN" : name;
}

/** The result of a parser; undefined if it throws. */
function parsed<Value>(parse: () => Value): Value | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof InvalidInputError) return undefined;
    throw error;
  }
}

function checkNotEmpty(text: string): void {
  if (text.trim() === "") throw new InvalidInputError("must not be empty");
}

function checkPath(path: string): void {
  checkNotEmpty(path);
  checkArgument(path);
  if (/^(?:https?|jsr|npm|data):/.test(path)) {
    throw new InvalidInputError(`not the path of a file: ${quoted(path)}`);
  }
}

/** Neither arguments nor environment variables can contain NUL (exec(2)). */
function checkArgument(text: string): void {
  if (text.includes("\0")) throw new InvalidInputError("must not contain the character NUL");
}

function checkVariableName(name: string): void {
  if (new RegExp(`^${VARIABLE_NAME}$`).test(name)) return;
  throw new InvalidInputError(
    "not the name of an environment variable: use letters, digits and _, and no digit first",
  );
}

function checkHost(name: string): void {
  if (new RegExp(`^${HOST}$`).test(name)) return;
  const label = name.split(".")[0]!;
  const hint = new RegExp(`^${HOST}$`).test(label) ? `; write ${label}` : "";
  throw new InvalidInputError(
    `not the first label of a host's name, such as host1: ${quoted(name)}${hint}`,
  );
}

function checkUser(name: string): void {
  if (/^(?:\d{1,10}|[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?)$/.test(name)) return;
  throw new InvalidInputError(`not the name of a user, or a uid: ${quoted(name)}`);
}

function checkRoleName(name: string): void {
  checkNotEmpty(name);
  if (!name.startsWith(ROLE_MARK)) return;
  throw new InvalidInputError(`the name of a role must not begin with ${ROLE_MARK}`);
}

function checkPrefix(prefix: string): void {
  checkServerId(`${prefix}-0`);
  checkOwnId(`${prefix}-0`);
}

/** Checks the id of a server that the file may have. */
function checkOwnId(id: string): void {
  checkServerId(id);
  if (id === REGISTRY_ID) {
    throw new InvalidInputError(
      `the id ${REGISTRY_ID} is reserved: describe the registry in the field registry`,
    );
  }
  if (id.startsWith(SUPERVISOR_PREFIX)) {
    throw new InvalidInputError(
      `ids that begin with ${SUPERVISOR_PREFIX} are reserved for supervisors: choose another id`,
    );
  }
}
