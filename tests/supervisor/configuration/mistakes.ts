/**
 * Configurations with one mistake each, and what is said about it.
 *
 * @module
 */

/** A configuration that is wrong or doubtful. */
export interface Mistake {
  /** What is wrong. */
  readonly name: string;
  /** The file. */
  readonly text: string;
  /** What is reported, without the name of the file. */
  readonly reported: readonly string[];
  /** Whether the schema says so, too. It knows neither the host nor what names refer to. */
  readonly isInSchema?: boolean;
}

/** The first lines of most files here, up to the servers. */
const ROLES = `{
  "roles": { "shop": { "module": "svc.ts" }, "tool": { "executable": "tool", "plain": true } },
`;

/** A file with a server of the role shop that has one more field. */
const withField = (field: string) =>
  `${ROLES}  "servers": {
    "shop1": { "role": "shop", ${field} }
  }
}`;

/** The configurations. `<dir>` is the directory of the file, with the files of `DATA`. */
export const MISTAKES: readonly Mistake[] = [
  {
    name: "an empty file",
    text: "",
    reported: ["1:1: the configuration is empty: it is one object, {...}"],
  },
  {
    name: "only a comment",
    text: "// nothing\n",
    reported: ["1:1: the configuration is empty: it is one object, {...}"],
  },
  {
    name: "a list instead of an object",
    text: "[]",
    reported: ["1:1: expected an object, {...}, not a list"],
    isInSchema: true,
  },
  {
    name: "an unclosed object",
    text: '{\n  "registry": true',
    reported: ["2:19: a closing brace } is missing"],
  },
  {
    name: "a missing comma",
    text: '{\n  "registry": true\n  "roles": {}\n}',
    reported: ["3:3: a comma is expected before this"],
  },
  {
    name: "a name without quotation marks",
    text: "{\n  registry: true\n}",
    reported: ['2:3: the name of a field needs quotation marks: "registry"'],
  },
  {
    name: "a text without its end",
    text: '{\n  "registry": "true\n}',
    reported: ["2:15: the text has no closing quotation mark in this line"],
  },
  {
    name: "text after the end",
    text: '{}\n{"roles": {}}',
    reported: ["2:1: the configuration ends before this: it is one object, {...}"],
  },
  {
    name: "nesting that is too deep",
    text: "[".repeat(100_000),
    reported: ["1:33: nested more than 32 levels deep"],
  },
  {
    name: "a field that is there twice",
    text: '{\n  "registry": true,\n  "registry": false\n}',
    reported: ["3:3: registry: the field is there twice; the first is in line 2"],
  },
  {
    name: "a misspelled field of the file",
    text: '{\n  "server": {}\n}',
    reported: ["2:3: server: unknown field; did you mean servers?"],
    isInSchema: true,
  },
  {
    name: "a misspelled field of a server",
    text: withField('"arg": []'),
    reported: ["4:32: servers.shop1.arg: unknown field; did you mean args?"],
    isInSchema: true,
  },
  {
    name: "a field that nothing is near",
    text: withField('"qqqqq": []'),
    reported: [
      "4:32: servers.shop1.qqqqq: unknown field; the fields here are role, host, enabled, module, executable, plain, args, roles, registry, grace, deny, capabilities, after, env, envFiles, listen, announce, log, http, httpToken, loader, restart, start, stop, health, memoryLimit, workingDirectory, user, output",
    ],
    isInSchema: true,
  },
  {
    name: "a server without a role",
    text: '{\n  "servers": { "a": {} }\n}',
    reported: ["2:21: servers.a: the field role is missing: the name of a role"],
    isInSchema: true,
  },
  {
    name: "a misspelled role",
    text: `${ROLES}"servers": { "a": { "role": "shpo" } }\n}`,
    reported: ['3:29: servers.a.role: no role is called "shpo"; did you mean shop?'],
  },
  {
    name: "a role where there is none",
    text: '{\n  "servers": { "a": { "role": "shop" } }\n}',
    reported: ['2:31: servers.a.role: no role is called "shop"; the file has no roles'],
  },
  {
    name: "an id with a space",
    text: `${ROLES}"servers": { "a b": { "role": "shop" } }\n}`,
    reported: [
      '3:14: servers["a b"]: not a server id: "a b": a server id is 1 to 64 letters, digits, "_", "." and "-", and starts with a letter, a digit or "_"',
    ],
    isInSchema: true,
  },
  {
    name: "the id of the registry",
    text: `${ROLES}"servers": { "registry": { "role": "shop" } }\n}`,
    reported: [
      "3:14: servers.registry: the id registry is reserved: describe the registry in the field registry",
    ],
  },
  {
    name: "the id of a supervisor",
    text: `${ROLES}"servers": { "supervisor-a": { "role": "shop" } }\n}`,
    reported: [
      "3:14: servers.supervisor-a: ids that begin with supervisor- are reserved for supervisors: choose another id",
    ],
  },
  {
    name: "a worker with the id of a server",
    text:
      `${ROLES}"servers": { "w-1": { "role": "shop" } },\n"workers": [{ "role": "shop", "prefix": "w", "count": 2 }]\n}`,
    reported: ["4:41: workers[0].prefix: the id w-1 is already that of a server"],
  },
  {
    name: "two groups of workers with one prefix",
    text:
      `${ROLES}"workers": [\n{ "role": "shop", "prefix": "w", "count": 1 },\n{ "role": "shop", "prefix": "w", "count": 1 }]\n}`,
    reported: ["5:29: workers[1].prefix: the id w-0 is already that of one of workers[0]"],
  },
  {
    name: "too many workers",
    text: `${ROLES}"workers": [{ "role": "shop", "prefix": "w", "count": 1001 }]\n}`,
    reported: ["3:55: workers[0].count: expected a whole number from 0 to 1000, not 1001"],
    isInSchema: true,
  },
  {
    name: "half a worker",
    text: `${ROLES}"workers": [{ "role": "shop", "prefix": "w", "count": 1.5 }]\n}`,
    reported: ["3:55: workers[0].count: expected a whole number from 0 to 1000, not 1.5"],
    isInSchema: true,
  },
  {
    name: "workers without a count",
    text: `${ROLES}"workers": [{ "role": "shop", "prefix": "w" }]\n}`,
    reported: ["3:13: workers[0]: the field count is missing: a whole number from 0 to 1000"],
    isInSchema: true,
  },
  {
    name: "a server that waits for an unknown one",
    text: withField('"after": ["shop2"]'),
    reported: [
      '4:42: servers.shop1.after[0]: no server or role is called "shop2"; did you mean shop or shop1?',
    ],
  },
  {
    name: "a server that waits for itself",
    text: withField('"after": ["shop1"]'),
    reported: ["4:41: servers.shop1.after: shop1 would wait for itself"],
  },
  {
    name: "servers that wait for each other",
    text:
      `${ROLES}"servers": {\n"a": { "role": "shop", "after": ["c"] },\n"b": { "role": "shop", "after": ["a"] },\n"c": { "role": "shop", "after": ["b"] }}\n}`,
    reported: [
      "4:33: servers.a.after: these servers would wait for each other: a after c after b after a",
    ],
  },
  {
    name: "a server that waits for one that is not enabled",
    text:
      `${ROLES}"servers": {\n"a": { "role": "shop", "after": ["b"] },\n"b": { "role": "shop", "enabled": false }}\n}`,
    reported: [
      "4:33: warning: servers.a.after: b is not enabled, so a waits until an operator starts b",
    ],
  },
  {
    name: "a module and an executable",
    text: withField('"module": "svc.ts", "executable": "tool"'),
    reported: [
      "4:42: servers.shop1.module: a server has either a module or an executable: remove one of them",
    ],
  },
  {
    name: "neither a module nor an executable",
    text: '{\n  "roles": { "none": {} },\n  "servers": { "a": { "role": "none" } }\n}',
    reported: [
      "3:16: servers.a: neither the server nor its role none has a program: write module or executable",
    ],
  },
  {
    name: "an unused role without a program",
    text: '{\n  "roles": { "none": {} }\n}',
    reported: ["2:14: roles.none: the role has no program: write module or executable"],
  },
  {
    name: "a module that is not there",
    text: withField('"module": "gone.ts"'),
    reported: ["4:42: servers.shop1.module: there is no file <dir>/gone.ts"],
  },
  {
    name: "a module of the web",
    text: withField('"module": "https://example.com/svc.ts"'),
    reported: ['4:42: servers.shop1.module: not the path of a file: "https://example.com/svc.ts"'],
  },
  {
    name: "a directory as a module",
    text: withField('"module": "."'),
    reported: ["4:42: servers.shop1.module: <dir> is a directory"],
  },
  {
    name: "an executable that is not executable",
    text: withField('"executable": "data.txt"'),
    reported: [
      '4:46: servers.shop1.executable: <dir>/data.txt is not executable: run "chmod +x <dir>/data.txt"',
    ],
  },
  {
    name: "a file of variables that is not there",
    text: withField('"envFiles": ["vars", "gone.env"]'),
    reported: ["4:53: servers.shop1.envFiles[1]: there is no file <dir>/gone.env"],
  },
  {
    name: "a file of variables with a wrong line",
    text: withField('"envFiles": ["data.txt"]'),
    reported: ["4:45: servers.shop1.envFiles[0]: <dir>/data.txt:1: a line has the form NAME=value"],
  },
  {
    name: "a secret that others can read",
    text: withField('"env": { "KEY": { "file": "open.txt" } }'),
    reported: [
      '4:48: servers.shop1.env.KEY: other users can read the secret <dir>/open.txt (mode 644): run "chmod 600 <dir>/open.txt"',
    ],
  },
  {
    name: "a secret without a file",
    text: withField('"env": { "KEY": {} }'),
    reported: ["4:48: servers.shop1.env.KEY: the field file is missing: the path of a file"],
    isInSchema: true,
  },
  {
    name: "a number as a variable",
    text: withField('"env": { "PORT": 8080 }'),
    reported: [
      '4:49: servers.shop1.env.PORT: expected a text, or a file with a secret, { "file": "<path>" }, not 8080; write "8080"',
    ],
    isInSchema: true,
  },
  {
    name: "a variable with a wrong name",
    text: withField('"env": { "MY-KEY": "x" }'),
    reported: [
      "4:41: servers.shop1.env.MY-KEY: not the name of an environment variable: use letters, digits and _, and no digit first",
    ],
    isInSchema: true,
  },
  {
    name: "an environment variable that is not set",
    text: withField('"args": ["${POTR}"]'),
    reported: [
      "4:41: servers.shop1.args[0]: the environment variable POTR is not set: set it, or write ${POTR:-default}; did you mean PORT?",
    ],
  },
  {
    name: "a reference without its end",
    text: withField('"args": ["${PORT"]'),
    reported: [
      "4:41: servers.shop1.args[0]: not a variable: write ${NAME} or ${NAME:-default}; for the text ${ itself, write $${",
    ],
  },
  {
    name: "a number as an argument",
    text: withField('"args": [8080]'),
    reported: ['4:41: servers.shop1.args[0]: expected a text, not 8080; write "8080"'],
    isInSchema: true,
  },
  {
    name: "one argument without a list",
    text: withField('"args": "8080"'),
    reported: [
      '4:40: servers.shop1.args: expected a list, each item a text, not "8080"; write ["8080"]',
    ],
    isInSchema: true,
  },
  {
    name: "an address without a port",
    text: withField('"listen": ["tcp://10.0.0.1"]'),
    reported: [
      "4:43: servers.shop1.listen[0]: not an address: tcp://10.0.0.1: host:port expected, an IPv6 host in brackets: [::1]:7000",
    ],
  },
  {
    name: "an unknown restart policy",
    text: withField('"restart": "always"'),
    reported: [
      '4:43: servers.shop1.restart: expected one of permanent, transient, temporary, not "always"',
    ],
    isInSchema: true,
  },
  {
    name: "a near restart policy",
    text: withField('"restart": { "policy": "Transient" }'),
    reported: [
      '4:55: servers.shop1.restart.policy: expected one of permanent, transient, temporary, not "Transient"; did you mean transient?',
    ],
    isInSchema: true,
  },
  {
    name: "delays the wrong way round",
    text: withField('"restart": { "backoff": { "min": "1m" } }'),
    reported: [
      "4:65: servers.shop1.restart.backoff.min: the first delay, 1m, is longer than the longest, 30s",
    ],
  },
  {
    name: "a duration without a known unit",
    text: withField('"start": { "timeout": "5 minutes" }'),
    reported: [
      '4:54: servers.shop1.start.timeout: expected a duration from 100ms to 1d, such as "30s" or "10m", not "5 minutes"',
    ],
    isInSchema: true,
  },
  {
    name: "a duration of none",
    text: withField('"start": { "timeout": 0 }'),
    reported: [
      '4:54: servers.shop1.start.timeout: expected a duration from 100ms to 1d, such as "30s" or "10m", not 0',
    ],
    isInSchema: true,
  },
  {
    name: "a signal that does not exist",
    text: withField('"stop": { "signal": "TERM" }'),
    reported: [
      '4:52: servers.shop1.stop.signal: expected one of SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, not "TERM"',
    ],
    isInSchema: true,
  },
  {
    name: "a server killed before its grace is over",
    text: withField('"grace": "30s", "stop": { "killAfter": "10s" }'),
    reported: [
      "4:71: warning: servers.shop1.stop.killAfter: it is killed after 10s, before its grace of 30s is over",
    ],
  },
  {
    name: "a memory limit without a unit",
    text: withField('"memoryLimit": 512'),
    reported: [
      '4:47: servers.shop1.memoryLimit: expected a size from 32MiB to 16TiB, such as "512MiB" or "2GB", not 512',
    ],
    isInSchema: true,
  },
  {
    name: "a memory limit with a wrong unit",
    text: withField('"memoryLimit": "512mb"'),
    reported: [
      '4:47: servers.shop1.memoryLimit: expected a size from 32MiB to 16TiB, such as "512MiB" or "2GB", not "512mb"',
    ],
    isInSchema: true,
  },
  {
    name: "health by both",
    text: withField('"health": { "ping": true, "expression": "true" }'),
    reported: [
      "4:52: servers.shop1.health.ping: health is checked by ping or by expression, not both",
    ],
  },
  {
    name: "health by an expression without a loader",
    text: withField('"loader": false, "health": { "expression": "true" }'),
    reported: [
      "4:75: servers.shop1.health.expression: a server without a loader evaluates no expression: remove loader, or check by ping",
    ],
  },
  {
    name: "an unknown log level",
    text: withField('"log": { "level": "WARNUNG" }'),
    reported: [
      '4:50: servers.shop1.log.level: expected one of DEBUG, INFO, WARN, ERROR, not "WARNUNG"',
    ],
    isInSchema: true,
  },
  {
    name: "an unknown log format",
    text: withField('"log": { "format": "xml" }'),
    reported: ['4:51: servers.shop1.log.format: expected one of text, json, not "xml"'],
    isInSchema: true,
  },
  {
    name: "an unknown permission",
    text: withField('"deny": ["network"]'),
    reported: [
      '4:41: servers.shop1.deny[0]: not a permission: "network"; use read, write, net, env, run, ffi, sys or import, or a part of one, like write=/etc',
    ],
  },
  {
    name: "an unknown capability",
    text: withField('"capabilities": { "given": { "deployer": ["load"] } }'),
    reported: [
      '4:74: servers.shop1.capabilities.given.deployer[0]: not a capability: "load"; use one of admin, shutdown, loader, supervisor, executor, filesystem, observer, or your own, in lower case with a colon, such as jobs:run',
    ],
  },
  {
    name: "a capability in an unknown server",
    text: withField('"capabilities": { "granted": { "shop2": ["loader"] } }'),
    reported: [
      '4:63: servers.shop1.capabilities.granted.shop2: no server in this file is called "shop2": capabilities can be granted only in those of the file; did you mean shop1?',
    ],
  },
  {
    name: "capabilities of an unknown role",
    text: withField('"capabilities": { "given": { "role:shopp": ["loader"] } }'),
    reported: [
      '4:61: servers.shop1.capabilities.given["role:shopp"]: no role is called "shopp"; did you mean shop?',
    ],
  },
  {
    name: "an HTTP endpoint without a token",
    text: withField('"http": "0.0.0.0:9100"'),
    reported: [
      "4:40: servers.shop1.http: other hosts can connect to 0.0.0.0:9100: name a file with a token for them in httpToken, or listen on this host only, 9100",
    ],
  },
  {
    name: "a token without an HTTP endpoint",
    text: withField('"httpToken": "secret.txt"'),
    reported: ["4:45: servers.shop1.httpToken: httpToken needs http"],
  },
  {
    name: "a port that is too high",
    text: withField('"http": 99999'),
    reported: ["4:40: servers.shop1.http: expected a whole number from 0 to 65535, not 99999"],
    isInSchema: true,
  },
  {
    name: "two servers with one address",
    text:
      '{\n  "roles": { "shop": { "module": "svc.ts", "listen": ["tcp://127.0.0.1:4001"] } },\n  "servers": { "a": { "role": "shop" }, "b": { "role": "shop" } }\n}',
    reported: ["2:54: roles.shop.listen: a and b would both listen at 127.0.0.1:4001 on this host"],
  },
  {
    name: "the full name of a host",
    text: withField('"host": "host1.example.com"'),
    reported: [
      '4:40: servers.shop1.host: not the first label of a host\'s name, such as host1: "host1.example.com"; write host1',
    ],
    isInSchema: true,
  },
  {
    name: "a server without a host where others have one",
    text:
      `${ROLES}"servers": {\n"a": { "role": "shop", "host": "host1" },\n"b": { "role": "shop" }}\n}`,
    reported: [
      "5:1: warning: servers.b: b has no host, so every host with this file would run it, but an id can run only once: write host, as for the other servers",
    ],
  },
  {
    name: "registries on several hosts with a store each",
    text: '{\n  "registry": { "host": ["host1", "host2"] }\n}',
    reported: [
      "2:25: registry.host: registries on several hosts share their entries only in etcd: write store, or name one host",
    ],
  },
  {
    name: "a registry on every host",
    text: `${ROLES}"registry": true,\n"servers": { "a": { "role": "shop", "host": "host1" } }\n}`,
    reported: [
      "3:1: warning: registry: every host with this file would run a registry with entries of its own: write host, as for the servers, or a store in etcd",
    ],
  },
  {
    name: "a user that does not exist",
    text: withField('"user": "no-such-user"'),
    reported: ["4:40: servers.shop1.user: its user does not exist on this host: no-such-user"],
  },
  {
    name: "a user with a colon",
    text: withField('"user": "root:root"'),
    reported: ['4:40: servers.shop1.user: not the name of a user, or a uid: "root:root"'],
  },
  {
    name: "a plain program with what only servers have",
    text: `${ROLES}"servers": { "a": { "role": "tool", "listen": ["tcp://127.0.0.1:1"] } }\n}`,
    reported: [
      "3:47: servers.a.listen: a plain program does not have listen: it gets only args and its environment",
    ],
  },
  {
    name: "a plain module",
    text: withField('"plain": true'),
    reported: [
      "4:41: servers.shop1.plain: a module is a server of the ensemble: plain needs an executable",
    ],
  },
  {
    name: "an unknown store",
    text: '{\n  "registry": { "store": "redis://a" }\n}',
    reported: [
      '2:26: registry.store: not a registry store: "redis://a": use "sqlite:", "sqlite:<path>", "memory:" or "etcd://<host>:<port>,.../<prefix>"',
    ],
  },
  {
    name: "a lease that is too short",
    text: '{\n  "registry": { "lease": "1s" }\n}',
    reported: [
      '2:26: registry.lease: expected a duration from 2s to 1h, such as "30s" or "10m", not "1s"',
    ],
  },
  {
    name: "an option of servers for the registry",
    text: '{\n  "registry": { "module": "svc.ts" }\n}',
    reported: [
      "2:17: registry.module: unknown field; the fields here are host, store, storeUser, storePasswordFile, storeCa, storeCert, storeKey, lease, env, envFiles, listen, announce, log, http, httpToken, loader, restart, start, stop, health, memoryLimit, workingDirectory, user, output",
    ],
    isInSchema: true,
  },
  {
    name: "a text as the registry",
    text: '{\n  "registry": "yes"\n}',
    reported: ['2:15: registry: expected true, false or an object with fields, not "yes"'],
    isInSchema: true,
  },
  {
    name: "an option that a supervisor does not have",
    text: '{\n  "supervisor": { "exec": true }\n}',
    reported: ["2:19: supervisor.exec: unknown field; did you mean executor?"],
    isInSchema: true,
  },
  {
    name: "a text instead of true",
    text: '{\n  "supervisor": { "executor": "yes" }\n}',
    reported: ['2:31: supervisor.executor: expected true or false, not "yes"'],
    isInSchema: true,
  },
  {
    name: "two mistakes",
    text: '{\n  "registry": 1,\n  "roles": []\n}',
    reported: [
      "2:15: registry: expected true, false or an object with fields, not 1",
      "3:12: roles: expected roles by name, not a list",
    ],
    isInSchema: true,
  },
];
