/**
 * REPL sessions in a server: each evaluates expanded inputs, and is an actor of the group `repl`.
 *
 * @module
 */
import { Script } from "node:vm";
import type { Actor } from "../actor/actor.ts";
import type { ActorBody } from "../actor/spawn_options.ts";
import type { ActorSystem } from "../actor/actor_system.ts";
import type { HandlerContext } from "../actor/handler_context.ts";
import type { ActorRef } from "../actor/references.ts";
import { type Handlers, type HandlersOf, serviceBody } from "../actor/service.ts";
import type { ModuleNamespace } from "../code/library_table.ts";
import type { UnitStore } from "../code/unit_store.ts";
import { reportThrown } from "../error_report.ts";
import { EnsembleError, NotAuthorizedError } from "../errors.ts";
import {
  type DynamicImport,
  type EvaluateRequest,
  type ExpandedInput,
  type Expansion,
  type ImportBinding,
  type ImportDeclaration,
  type ImportTarget,
  isIdentifier,
  type Outcome,
  replChecks,
  type ReplHandlers,
} from "./repl_protocol.ts";
import { completions, ReplScope, type Rollback, valueAt } from "./repl_scope.ts";
import { cut, previewValue, summarizeValue } from "./shown_value.ts";

/** The name of an input in stack traces: `repl:<session>/<input>`. */
function inputName(session: string, input: number): string {
  return `repl:${session}/${input}`;
}

/** The parts of its server's unit store that a session needs. */
export type SessionModules = Pick<
  UnitStore,
  "namespace" | "libraries" | "importLibrary" | "restoreSources" | "commentBefore"
>;

/** Reads the current exports of a module. */
type ReadExports = () => ModuleNamespace;

/** A session. Its declarations last until it ends, and no other session sees them. */
export class ReplSession {
  readonly #id: string;
  readonly #modules: SessionModules;
  readonly #scope = new ReplScope();
  /** The inputs that are being evaluated and whose outcomes are awaited. */
  readonly #awaited = new Set<number>();
  #lastResult: unknown;
  #lastError: unknown;

  /**
   * Starts a session with the names in `globals`, and with `_` and `_error` for the last outcomes.
   */
  constructor(id: string, modules: SessionModules, globals: Record<string, unknown>) {
    this.#id = id;
    this.#modules = modules;
    for (const [name, value] of Object.entries(globals)) this.#scope.bind(name, () => value);
    this.#scope.bindUntilAssigned("_", () => this.#lastResult);
    this.#scope.bindUntilAssigned("_error", () => this.#lastError);
  }

  /** Evaluates an input, however long it takes. A thrown error is an outcome, too. */
  async evaluate({ input, expansion, preview }: EvaluateRequest): Promise<Outcome> {
    this.#awaited.add(input);
    try {
      const { value } = await this.#run(inputName(this.#id, input), expansion);
      if (!this.#awaited.has(input)) return {};
      this.#lastResult = value;
      if (value === undefined) return {};
      return { result: this.#modules.restoreSources(previewValue(value, preview)) };
    } catch (thrown) {
      if (!this.#awaited.has(input)) return {};
      this.#lastError = thrown;
      return { error: this.#modules.restoreSources(`Uncaught ${reportThrown(thrown)}`) };
    } finally {
      this.#awaited.delete(input);
    }
  }

  /**
   * Stops waiting for an input, and drops its outcome. The input itself cannot be stopped. When it
   * ends, the names it declares have their values.
   */
  interrupt(input: number): void {
    this.#awaited.delete(input);
  }

  /**
   * Makes the exports of a module names of the session, except its default export.
   *
   * @returns the names.
   * @throws {EnsembleError} if the server has not loaded the module.
   */
  async importAll(target: ImportTarget): Promise<string[]> {
    const read = await this.#find(target);
    const names = Object.keys(read()).filter((name) => name !== "default" && isIdentifier(name));
    this.#bind(names.map((name) => ({ name, imported: name })), read);
    return names;
  }

  /** Whether a name is defined in the session or globally. */
  isDefined(name: string): boolean {
    return this.#scope.has(name) || name in globalThis;
  }

  /**
   * Describes the value of `path[0].path[1]...`; undefined if there is none, or it is behind a
   * getter.
   */
  describe(path: readonly string[]): string | undefined {
    const value = valueAt(this.#scope, path);
    if (value === undefined) return undefined;
    return summarizeValue(value, (source) => this.#modules.commentBefore(source));
  }

  /** See {@linkcode completions}. */
  complete(path: readonly string[], prefix: string): string[] {
    return completions(this.#scope, path, prefix);
  }

  /**
   * Runs an input. The value is wrapped in an object, because a returned promise would be awaited.
   */
  async #run(
    name: string,
    { text, declarations, imports }: Expansion,
  ): Promise<{ value: unknown }> {
    const load: ExpandedInput = new Script(text, { filename: name }).runInThisContext();
    const exports = await Promise.all(imports.map(({ target }) => this.#find(target)));
    imports.forEach((declaration, index) => checkExports(declaration, exports[index]!()));
    imports.forEach(({ bindings }, index) => this.#bind(bindings, exports[index]!));
    const rollback: Rollback = this.#scope.declare(declarations);
    try {
      return await load(this.#scope.object)(this.#import);
    } catch (thrown) {
      rollback();
      throw thrown;
    }
  }

  /** The `import()` of the session. */
  readonly #import: DynamicImport = async (target, options) => {
    const resolved = typeof target === "object" ? target : resolveAtRun(String(target));
    const read = await this.#find(
      resolved.kind === "library" ? { ...resolved, attributes: options?.with } : resolved,
    );
    return read();
  };

  /**
   * Finds a module. For a module loaded in the server, the exports are always those of the current
   * one.
   */
  async #find(target: ImportTarget): Promise<ReadExports> {
    if (target.kind === "library") {
      const namespace = await this.#modules.importLibrary(target.specifier, target.attributes);
      return () => namespace;
    }
    const registered = new Set(this.#modules.libraries());
    for (const id of target.ids) {
      const found = this.#modules.namespace(id);
      if (found) return () => this.#modules.namespace(id) ?? found;
      if (registered.has(id)) return await this.#find({ kind: "library", specifier: id });
    }
    throw new EnsembleError(
      `the server has not loaded ${target.specifier}: load it with ,(load ${target.specifier})`,
    );
  }

  #bind(bindings: readonly ImportBinding[], read: ReadExports): void {
    for (const { name, imported } of bindings) {
      this.#scope.bind(name, () => imported === "*" ? read() : read()[imported]);
    }
  }
}

/** Resolves a specifier that is only known at run time. The user's files are not on this host. */
function resolveAtRun(specifier: string): ImportTarget {
  return URL.canParse(specifier)
    ? { kind: "library", specifier }
    : { kind: "module", specifier, ids: [specifier] };
}

/** Throws the error of a missing export, as when modules are linked. */
function checkExports({ target, bindings }: ImportDeclaration, exports: ModuleNamespace): void {
  for (const { imported } of bindings) {
    if (imported === "*" || imported in exports) continue;
    throw new SyntaxError(
      `The requested module '${target.specifier}' does not provide an export named ` +
        `'${imported}' (if it is a type, import it with "import type")`,
    );
  }
}

const METHODS = ["log", "info", "debug", "warn", "error"] as const;

/**
 * The `console` object of a session, which prints with `print`. Other methods, such as `time`, are
 * the global ones. Loaded code has the global `console`, which prints to the output of the server.
 */
function sessionConsole(print: (text: string) => void): Console {
  const write = (...values: unknown[]) => {
    print(
      values.map((value) => typeof value === "string" ? cut(value) : previewValue(value)).join(" "),
    );
  };
  return Object.assign(
    Object.create(console),
    Object.fromEntries(METHODS.map((method) => [method, write])),
  );
}

/** Options of {@linkcode startReplSession}. */
export interface ReplSessionOptions {
  /** The actor that opens the session, and handles `ReplOwnerHandlers`. */
  readonly owner: ActorRef;
  readonly store: UnitStore;
  /** The server, for evaluated code. */
  readonly ensemble: unknown;
  /** Wraps the handlers in the loader's checks of capabilities. */
  readonly guard?: ((handlers: Handlers) => Handlers) | undefined;
}

/** Starts the actor of a session. It ends when its owner does. */
export function startReplSession(actors: ActorSystem, options: ReplSessionOptions): Actor {
  return actors.spawnGroup("repl", sessionBody(options));
}

function sessionBody(
  { owner, store, ensemble, guard = (handlers) => handlers }: ReplSessionOptions,
): ActorBody {
  return (self) => {
    const print = (text: string) => {
      self.tell(owner, { type: "output", text });
    };
    const session = new ReplSession(`${owner.server}`, store, {
      ensemble,
      console: sessionConsole(print),
    });
    const handlers: HandlersOf<Omit<ReplHandlers, "down">> = {
      evaluate: (request) => session.evaluate(request),
      interrupt: ({ input }) => session.interrupt(input),
      importAll: ({ target }) => session.importAll(target),
      isDefined: ({ name }) => session.isDefined(name),
      complete: ({ path, prefix }) => session.complete(path, prefix),
      describe: ({ path }) => session.describe(path),
    };
    self.monitor(owner);
    // Another server could claim it.
    const down: Handlers[string] = (_request, { envelope }) => {
      if (envelope.session === undefined) self.exit("its owner has ended");
    };
    return serviceBody({ ...onlyFor(owner, guard(handlers)), down }, {
      concurrent: true,
      drains: false,
      requests: replChecks,
    })(self);
  };
}

/**
 * Refuses requests from any server but the owner's, since a session has the owner's capabilities.
 */
function onlyFor(owner: ActorRef, handlers: Handlers): Handlers {
  return Object.fromEntries(
    Object.entries(handlers).map(([type, handler]) => [
      type,
      (request: unknown, context: HandlerContext) => {
        if (context.sender.server !== owner.server) {
          throw new NotAuthorizedError(`this session is ${owner}'s`);
        }
        return handler(request, context);
      },
    ]),
  );
}
