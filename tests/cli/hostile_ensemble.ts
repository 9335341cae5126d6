/**
 * An ensemble of servers that attack the terminal of a command. They run in this process, and the
 * commands in others.
 *
 * @module
 */
import { dirname } from "node:path";
import { MemoryStore } from "../../registry/local_store.ts";
import type { Actor } from "../../runtime/actor/actor.ts";
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import type { HandlerContext } from "../../runtime/actor/handler_context.ts";
import { type Handlers, serviceBody } from "../../runtime/actor/service.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { LoggedRecord } from "../../runtime/observation/log_protocol.ts";
import type { TraceRecord } from "../../runtime/observation/trace_protocol.ts";
import type { ServerStatus } from "../../runtime/observation/status_protocol.ts";
import type { Expansion } from "../../runtime/repl/repl_protocol.ts";
import { INSTANCE_LENGTH } from "../../runtime/server/credentials.ts";
import { LocalEnsemble } from "../runtime/server/local_ensemble.ts";
import { frame } from "../rogue_peer.ts";
import { TemporaryEnsemble } from "../temporary_ensemble.ts";

/**
 * Sets the title, clears the screen, and contains a line break, a bell, DEL, C1, a change of text
 * direction and a tag.
 */
export const ATTACK = "\x1b]0;t\x07\x1b[2J\r\n$\x7f\x9b\u202e\u2066\u061c\u2028\u200b\u{e0041}!";

/** The expected output where each item has its own line. */
export const VISIBLE_ATTACK = String
  .raw`\u001b]0;t\u0007\u001b[2J\r\n$\u007f\u009b\u202e\u2066\u061c\u2028\u200b\u{e0041}!`;

/** The name of one of the rogue's actors, which cannot contain white space. */
export const HOSTILE_NAME = `a${ATTACK.replaceAll(/\s/g, "")}`;

/**
 * Characters that no output may contain. On a terminal there are also colors and the line editor's
 * sequences.
 */
export const STEERING: RegExp =
  // deno-lint-ignore no-control-regex -- control characters are what has to be found
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u{e0041}]/u;

/** A handshake message: a final refusal. */
const [REFUSED, FAILED] = [5, 1];

/**
 * The registry, and a server `rogue` with a hostile role, actors, loader and REPL; ended with
 * `await using`.
 */
export class HostileEnsemble implements AsyncDisposable {
  /** The places of commands. */
  readonly places: TemporaryEnsemble = new TemporaryEnsemble();
  readonly #local = new LocalEnsemble();
  /** With a long lease: servers that refuse connections do not renew theirs. */
  readonly #store = new MemoryStore({ lease: 600_000 });
  readonly #listeners: Deno.Listener[] = [];

  private constructor() {}

  /** Starts the ensemble. */
  static async start(): Promise<HostileEnsemble> {
    const ensemble = new HostileEnsemble();
    const { places } = ensemble;
    places.environment.ENSEMBLE_SOCKET_DIR = ensemble.#local.directory;
    Deno.mkdirSync(dirname(places.cookiePath), { recursive: true });
    Deno.writeFileSync(places.cookiePath, ensemble.#local.cookie, { mode: 0o600 });
    await ensemble.#local.startRegistry(ensemble.#store);
    const rogue = await ensemble.#local.start("rogue", {
      roles: [`r${ATTACK}`],
      prepare: ({ actors }) => {
        actors.serve(HOSTILE_NAME, {});
        actors.serve("failing", {
          ping() {
            throw new EnsembleError(ATTACK);
          },
        });
        actors.serve("loader", hostileLoader(actors));
        actors.serve("observer", hostileObserver());
      },
    });
    rogue.actors.serve("answering", {
      answer: () => ({ [ATTACK]: ATTACK }),
      [ATTACK]() {
        throw new EnsembleError(ATTACK);
      },
    });
    return ensemble;
  }

  /** Registers a server that refuses every connection with a reason. */
  async refuse(id: string, reason: string): Promise<void> {
    const path = `${this.#local.directory}/${id}`;
    const listener = Deno.listen({ transport: "unix", path });
    this.#listeners.push(listener);
    void this.#refuseAll(listener, new TextEncoder().encode(reason));
    await this.#store.put({
      id: id,
      instance: new Uint8Array(INSTANCE_LENGTH),
      addresses: [this.#local.socket(id)],
      roles: [],
      state: "up",
    }, 0);
  }

  async #refuseAll(listener: Deno.Listener, reason: Uint8Array): Promise<void> {
    for await (const connection of listener) {
      await connection.write(frame(new Uint8Array([REFUSED, FAILED, reason.length, ...reason])));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    await this.#local[Symbol.asyncDispose]();
    this.places[Symbol.dispose]();
  }
}

const HASH = "0".repeat(64);

/** A loader that does not evaluate: it answers with the expression itself. */
function hostileLoader(actors: ActorSystem): Handlers {
  return {
    evaluate({ expression }: { expression: string }) {
      if (expression === "fail") throw new EnsembleError(ATTACK);
      return expression === "json" ? JSON.stringify({ a: ATTACK }) : ATTACK;
    },
    libraries: () => [],
    history:
      () => [{ module: ATTACK, path: ATTACK, hash: HASH, time: 0, by: ATTACK, current: true }],
    loaded: () => [{ module: ATTACK, hash: HASH, bytes: 1 }],
    library() {
      throw new EnsembleError(ATTACK);
    },
    openSession: () =>
      actors.spawn(undefined, (self) => serviceBody(hostileSession(self))(self)).serial,
  };
}

/** An observer that tells the state of its server. */
function hostileObserver(): Handlers {
  const flow = { messages: 1, bytes: 1, messagesPerSecond: 1, bytesPerSecond: 1 };
  const status: ServerStatus = {
    id: "rogue",
    pid: 1,
    host: ATTACK,
    user: ATTACK,
    version: ATTACK,
    deno: ATTACK,
    v8: ATTACK,
    startedAt: 0,
    now: 0,
    state: "up",
    roles: [`r${ATTACK}`],
    memory: { rss: 1, heapUsed: 1, heapTotal: 1, external: 1 },
    cpu: 0,
    eventLoopDelay: { p50: 0, p99: 0, max: 0 },
    actors: 1,
    longestMailboxes: [{ actor: HOSTILE_NAME, length: 1 }],
    connections: 1,
    received: flow,
    sent: flow,
    handled: { messages: 1, messagesPerSecond: 1 },
    pendingAsks: 0,
    restarts: 0,
    loads: {
      count: 1,
      last: [{ module: ATTACK, hash: ATTACK, at: 0, by: ATTACK, current: true }],
    },
    log: { level: ATTACK, warnings: 1, errors: 1 },
    http: ATTACK,
  };
  const record: LoggedRecord = {
    sequence: 1,
    at: 0,
    level: "info",
    category: ATTACK,
    message: ATTACK,
    fields: ` a=${ATTACK}`,
    errors: `    ${ATTACK}`,
    properties: JSON.stringify({ [ATTACK]: ATTACK }),
  };
  const notJson = { ...record, properties: ATTACK };
  const levels = [{ category: ATTACK, level: "info" }];
  const profile = new TextEncoder().encode(JSON.stringify({
    nodes: [{ id: 1, callFrame: { functionName: ATTACK, url: `/${ATTACK}`, lineNumber: 0 } }],
    samples: [1, 1],
    timeDeltas: [1, 1],
  }));
  const traced: TraceRecord[] = [
    { kind: "took", number: 1, at: 0, peer: ATTACK, type: ATTACK, text: ATTACK, waited: 0 },
    { kind: "failed", number: 1, at: 0, text: ATTACK, elapsed: 0 },
  ];
  return {
    status: () => status,
    beginTrace: () => ({ trace: 1 }),
    followTrace: () => ({ records: traced, lost: 1, end: { why: "actor", reason: ATTACK } }),
    profileProcessor: () => ({ profile: 1, size: profile.length }),
    readProfile: () => profile,
    dropProfile: () => {},
    readLog: () => ({
      records: [record, notJson],
      position: { log: ATTACK, sequence: 2 },
      lost: 0,
    }),
    logLevels: () => ({ levels }),
    setLogLevel: () => ({ levels, category: ATTACK, exists: false }),
  };
}

/**
 * A session that first prints something, and then answers with a value, or with an error for
 * `fail`.
 */
function hostileSession(self: Actor): Handlers {
  return {
    evaluate({ expansion }: { expansion: Expansion }, { sender: source }: HandlerContext) {
      self.tell(source, { type: "output", text: `output ${ATTACK}` });
      const failed = expansion.text.includes("fail");
      return failed ? { error: `error ${ATTACK}` } : { result: `result: 1, ${ATTACK}` };
    },
    complete: () => [`name${ATTACK}`, "name\u3164", "other", "named", "names"],
    isDefined: () => ATTACK,
    describe: () => ATTACK,
  };
}
