/**
 * The systemd unit of a host's supervisor: systemd.service(5), systemd.exec(5).
 *
 * @module
 */

/** The name of the unit. */
export const SERVICE = "gxensemble-supervisor";

/** The user as which the service of the system runs. */
export const SERVICE_USER = "gxensemble";

/** The first line of a unit that was written here. */
export const UNIT_HEADING = "# Written by gxensemble supervisor --install. Change it with";

/** The directories of the service of the system, by the variables that name them. */
export const SYSTEM_DIRECTORIES = {
  GERBIL_PATH: "/var/lib/gxensemble",
  ENSEMBLE_SOCKET_DIR: "/run/gxensemble",
  GXENSEMBLE_CACHE_DIR: "/var/cache/gxensemble",
} as const;

/** How systemd makes each of those directories. */
const MANAGED = {
  GERBIL_PATH: "StateDirectory",
  ENSEMBLE_SOCKET_DIR: "RuntimeDirectory",
  GXENSEMBLE_CACHE_DIR: "CacheDirectory",
} as const;

/** The time without a sign of life after which the supervisor is started anew, in s. */
const WATCHDOG = 60;

/**
 * The time to stop, in s. The supervisor asks for more if its servers may take longer:
 * `EXTEND_TIMEOUT_USEC` of sd_notify(3).
 */
const STOP_TIMEOUT = 60;

/** What a unit is made of. */
export interface ServiceUnitOptions {
  /** Whether the system starts it for all users, or one user has it. */
  readonly scope: "system" | "user";
  /** The command line of the supervisor. Its first word is an absolute path. */
  readonly command: readonly string[];
  /** Its environment variables. */
  readonly environment: Readonly<Record<string, string>>;
  /** The configuration of the host, without which it is not started. */
  readonly configuration: string;
}

/** Makes the text of a unit. */
export function serviceUnit(options: ServiceUnitOptions): string {
  const { scope, command, environment, configuration } = options;
  const isSystem = scope === "system";
  const variables = Object.entries(environment)
    .map(([name, value]) => quoteWord(`${name}=${value}`));
  const directory = environment.GERBIL_PATH;
  return `${UNIT_HEADING}
# systemctl ${isSystem ? "" : "--user "}edit ${SERVICE}

[Unit]
Description=The supervisor of the actor ensemble
Documentation=https://github.com/gxensemble/gxensemble/blob/main/docs/deploy.md
${isSystem ? "Wants=network-online.target\nAfter=network-online.target\n" : ""}\
AssertPathExists=${escapeSpecifiers(configuration)}
# However often it failed before, it is started again.
StartLimitIntervalSec=0

[Service]
# It says when it has started, that it works, and what it is doing. Its servers do not.
Type=notify
NotifyAccess=main
WatchdogSec=${WATCHDOG}
${isSystem ? `User=${SERVICE_USER}\n` : ""}\
${variables.length > 0 ? `Environment=${variables.join(" ")}\n` : ""}\
# Variables for the configuration, and for its servers.
EnvironmentFile=-%E/gxensemble/supervisor.env
ExecStart=${command.map(quoteWord).join(" ")}
# It reads its configuration and its certificates again, and opens its log file anew.
ExecReload=/bin/sh -c 'kill -HUP $MAINPID'
${isSystem && directory ? `WorkingDirectory=${escapeSpecifiers(directory)}\n` : ""}\

# It stops its servers itself. If it fails, they go on, and the next one takes them over: so nothing
# but itself may be ended with it.
KillMode=process
OOMPolicy=continue
TimeoutStopSec=${STOP_TIMEOUT}
SuccessExitStatus=143
Restart=on-failure
# Exit code 2 is a wrong command line, which does not get better by trying again.
RestartPreventExitStatus=2
RestartSec=2

# All its servers count: each has about 20 threads, and its connections.
TasksMax=infinity
LimitNOFILE=524288
UMask=0077
${isSystem ? confinement(environment) : "NoNewPrivileges=yes\n"}
[Install]
WantedBy=${isSystem ? "multi-user" : "default"}.target
`;
}

/** What the service of the system may do, and where it may write. */
function confinement(environment: Readonly<Record<string, string>>): string {
  const written = [];
  const managed = [];
  for (const [name, path] of Object.entries(SYSTEM_DIRECTORIES)) {
    const used = environment[name];
    const setting = MANAGED[name as keyof typeof MANAGED];
    if (used === path) managed.push(`${setting}=gxensemble`, `${setting}Mode=0700`);
    else if (used !== undefined) written.push(quoteWord(used));
  }
  return `
# The directories that it shares with its servers. They stay when it stops.
${managed.map((line) => `${line}\n`).join("")}\
RuntimeDirectoryPreserve=yes
# No PrivateTmp: systemd would empty it when the supervisor fails, under servers that go on.
ReadWritePaths=${[...written, "/tmp", "/var/tmp"].join(" ")}

# What its servers may not do either. No MemoryDenyWriteExecute: JavaScript is compiled to machine
# code while it runs.
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
LockPersonality=yes
RemoveIPC=yes
# AF_NETLINK: names are looked up and network interfaces listed with it.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
`;
}

/** Writes a word of a command line or of `Environment=`: systemd.syntax(7), systemd.service(5). */
function quoteWord(word: string): string {
  const escaped = escapeSpecifiers(word).replaceAll("$", "$$$$");
  if (/^[\w@%+=:,./$-]+$/.test(escaped)) return escaped;
  return `"${escaped.replaceAll(/["\\]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}

/** A percent sign begins a specifier. */
function escapeSpecifiers(text: string): string {
  return text.replaceAll("%", "%%");
}
